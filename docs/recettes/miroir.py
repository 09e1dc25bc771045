"""Tient à jour un miroir des exports : URL=… CLE=… python miroir.py DOSSIER (à lancer chaque jour)"""
import gzip, json, os, pathlib, sys, urllib.request

URL, KEY = os.environ["URL"].rstrip("/"), os.environ["CLE"]
FOLDER = pathlib.Path(sys.argv[1])
LISTS = ["certifications", "regionales", "formations", "bcn"]

def get(path):
    headers = {"x-api-key": KEY, "accept-encoding": "gzip"}
    return urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers), timeout=300)

def generation():
    return json.loads(gzip.decompress(body) if (body := get("/api/status").read())[:2] == b"\x1f\x8b" else body)["generation"]

def export(name):
    answer = get(f"/api/inserjeunes/{name}.ndjson?items_par_page=1000000")
    lines = gzip.open(answer) if answer.headers.get("content-encoding") == "gzip" else answer
    with open(FOLDER / f"{name}.nouveau", "wb") as file:
        count = sum(file.write(line) > 0 for line in lines)
    # A line count that differs tells of an answer that was cut; fewer than in total, of a page that is too small.
    if not count == int(answer.headers["x-row-count"]) == int(answer.headers["x-total-count"]):
        sys.exit(f"{name} : {count} lignes sur {answer.headers['x-total-count']}, à reprendre")

FOLDER.mkdir(parents=True, exist_ok=True)
kept, before = FOLDER / "generation", generation()
if kept.exists() and kept.read_text() == before:
    sys.exit(print(f"{before} : à jour"))
for name in LISTS:
    export(name)
if generation() != before:
    sys.exit("une publication a eu lieu pendant la copie, à reprendre")
for name in LISTS:
    os.replace(FOLDER / f"{name}.nouveau", FOLDER / f"{name}.ndjson")
kept.write_text(before)
print(f"{before} : {len(LISTS)} exports repris")
