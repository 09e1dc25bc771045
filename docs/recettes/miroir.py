"""Tient à jour un miroir de tous les documents : URL=… CLE=… python miroir.py DOSSIER (à lancer chaque jour)"""
import json, os, pathlib, sys, urllib.error, urllib.parse, urllib.request

URL, KEY, FILE = os.environ["URL"].rstrip("/"), os.environ["CLE"], pathlib.Path(sys.argv[1]) / "miroir.json"

def get(path, **asked):
    request = urllib.request.Request(f"{URL}/api/{path}?{urllib.parse.urlencode(asked)}", headers={"x-api-key": KEY})
    return urllib.request.urlopen(request, timeout=300)

def rows(route, **asked):
    answer = get(f"inserjeunes/{route}.ndjson", items_par_page=1000000, generation=told["generation"], **asked)
    read = [json.loads(line) for line in answer]
    # A line count that differs tells of an answer that was cut.
    return read if len(read) == int(answer.headers["x-total-count"]) else sys.exit(f"{route} : réponse coupée, à reprendre")

mirror = json.loads(FILE.read_text()) if FILE.exists() else {"generation": "g0", "mailles": {}}
try:
    told = json.load(get("changements", depuis=mirror["generation"]))
except urllib.error.HTTPError as error:
    told = {"tout": True, "nomenclature": True} if error.code in (404, 410) else sys.exit(f"{error}, à reprendre")
if told["tout"]:
    mirror["mailles"], told = {}, told | json.load(get("status"))
    route = lambda maille: maille if maille in ("certifications", "regionales", "formations") else f"mailles/{maille}"
    told["mailles"] = {m: {"route": route(m), "millesimes": dict.fromkeys(years, {"tout": True})} for m, years in told["documents"].items()}
for maille, change in told["mailles"].items():
    for year, keys in change["millesimes"].items():
        mine = mirror["mailles"].setdefault(maille, {}).setdefault(year, {})
        # A key ends in the code of its certification: all rows of that code are taken again.
        codes = sorted({k.split("/")[-1].split("-")[-1] for how in ("ajoutes", "retires", "changes") for k in keys.get(how, [])})
        for code in list(mine) if keys["tout"] else codes:
            mine.pop(code.removeprefix("SISE:"), None)
        for n in range(0, 1 if keys["tout"] else len(codes), 300):
            some = {"code_certifications": ",".join(codes[n:n + 300])} if codes else {}
            for row in rows(change["route"], millesimes=year, **some):
                if row["millesime"] == year:
                    mine.setdefault(row["code_certification"], []).append(row)
mirror |= {"bcn": rows("bcn")} if told["nomenclature"] else {}
mirror["generation"] = told["generation"]
FILE.parent.mkdir(parents=True, exist_ok=True)
FILE.with_suffix(".nouveau").write_text(json.dumps(mirror))
os.replace(FILE.with_suffix(".nouveau"), FILE)
print(told["generation"], "repris en entier" if told["tout"] else "mis à jour" if told.get("depuis") != told["generation"] else "à jour")
