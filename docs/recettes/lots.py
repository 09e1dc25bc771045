"""Compare des formations à leur région et à l'autre voie : URL=… CLE=… python lots.py COUPLES.csv (uai;code_certification)"""
import csv, json, os, sys, urllib.error, urllib.request

URL, KEY, FIELD = os.environ["URL"].rstrip("/"), os.environ["CLE"], "taux_en_emploi_6_mois"

def lots(pairs, size=1000):
    for start in range(0, len(pairs), size):
        part = pairs[start:start + size]
        body = json.dumps({"demandes": part, "champs": ["code_certification", FIELD, "_meta.messages"], "comparaison": True})
        headers = {"x-api-key": KEY, "content-type": "application/json"}
        request = urllib.request.Request(URL + "/api/inserjeunes/lots", body.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                lines = [json.loads(line) for line in answer]
                announced = int(answer.headers["x-row-count"])
        except urllib.error.HTTPError as error:
            sys.exit(f"{error.code} : {json.load(error)['message']}")
        if len(lines) != announced:
            sys.exit(f"{len(lines)} lignes sur {announced}, à reprendre")
        yield from zip(part, lines)

def show(answer):
    """Un chiffre, ou pourquoi il n'y en a pas."""
    if answer is None:
        return "-"
    if answer["statut"] != 200:
        return answer["erreur"]["message"]
    value = answer["document"].get(FIELD)
    return "masqué ou inconnu" if value is None else f"{value} %"

with open(sys.argv[1], encoding="utf-8-sig", newline="") as file:
    couples = [{name: row[name] for name in ("uai", "code_certification")} for row in csv.DictReader(file, delimiter=";")]
for pair, line in lots(couples):
    beside = line.get("comparaison", {})
    others = ", ".join(show(other) for other in beside.get("autre_voie", [])) or "-"
    print(";".join([pair["uai"], pair["code_certification"], show(line), show(beside.get("region")), others]))
