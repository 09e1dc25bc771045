"""Tient à jour un miroir de tous les documents : URL=… CLE=… python miroir.py FICHIER (à lancer chaque jour)"""
import json, os, pathlib, sys, urllib.parse, urllib.request as web

URL, KEY, FILE = os.environ["URL"].rstrip("/"), os.environ["CLE"], pathlib.Path(sys.argv[1])

def get(path, **asked):
    return web.urlopen(web.Request(f"{URL}/api/{path}?{urllib.parse.urlencode(asked)}", headers={"x-api-key": KEY}), timeout=300)

def rows(maille, **asked):
    route = maille if maille in ("certifications", "regionales", "formations", "bcn") else f"mailles/{maille}"
    answer = get(f"inserjeunes/{route}.ndjson", items_par_page=1000000, generation=told["generation"], **asked)
    read = [json.loads(line) for line in answer]
    return read if len(read) == int(answer.headers["x-total-count"]) else sys.exit(f"{route} : réponse coupée, à reprendre")

mirror = json.loads(FILE.read_text()) if FILE.exists() else {"generation": "g0"}
try:
    told = json.load(get("changements", depuis=mirror["generation"]))
except web.HTTPError as error:
    told = {"tout": True} if error.code in (404, 410) else sys.exit(f"{error}, à reprendre")
if told["tout"]:
    mirror["mailles"], told = {}, json.load(get("status")) | {"tout": True, "nomenclature": True}
    told["mailles"] = {m: {"millesimes": dict.fromkeys(years, {})} for m, years in told["documents"].items()}
for maille, year, keys in [(m, y, keys) for m, change in told["mailles"].items() for y, keys in change["millesimes"].items()]:
    # A key ends in the code of its certification: all rows of that code are taken again. No key: all rows of the year.
    codes = {k.split("/")[-1].split("-")[-1] for how in ("ajoutes", "retires", "changes") for k in keys.get(how, [])}
    lots = [{"code_certifications": ",".join(sorted(codes)[n:n + 300])} for n in range(0, len(codes), 300)] or [{}]
    years = mirror["mailles"].setdefault(maille, {})
    years[year] = {c: known for c, known in years.get(year, {}).items() if codes and not codes & {c, f"SISE:{c}"}}
    for row in [row for lot in lots for row in rows(maille, millesimes=year, **lot) if row["millesime"] == year]:
        years[year].setdefault(row["code_certification"], []).append(row)
mirror |= {"generation": told["generation"]} | ({"bcn": rows("bcn")} if told["nomenclature"] else {})
FILE.with_suffix(".nouveau").write_text(json.dumps(mirror))
FILE.with_suffix(".nouveau").replace(FILE)
print(told["generation"], "repris en entier" if told["tout"] else "mis à jour" if told.get("depuis") != told["generation"] else "à jour")
