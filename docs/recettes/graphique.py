"""Le taux d'emploi d'une certification, région par région : URL=… CLE=… python graphique.py CODE IMAGE.png"""
import io, os, sys, urllib.request

import matplotlib
import pandas

matplotlib.use("Agg")
CODE, IMAGE = sys.argv[1:]
request = urllib.request.Request(
    f"{os.environ['URL']}/api/inserjeunes/regionales.csv?code_certifications={CODE}&items_par_page=1000000",
    headers={"x-api-key": os.environ["CLE"]},
)
with urllib.request.urlopen(request) as answer:
    # Codes are texts (a number would lose its zeros); "null" is what the threshold hides, empty what nobody knows.
    frame = pandas.read_csv(io.BytesIO(answer.read()), sep=";", dtype=str, keep_default_na=False)
rate = "taux_en_emploi_6_mois"
hidden = frame[frame[rate] == "null"]
shown = frame[~frame[rate].isin(["null", ""])].astype({rate: int}).sort_values(rate)

if shown.empty:
    sys.exit(f"{CODE} : {len(frame)} lignes dans le millésime en vigueur, aucune n'a de taux ; rien n'est dessiné")
axes = shown.plot.barh(x="region", y=rate, legend=False, figsize=(8, 1 + len(shown) / 2))
axes.set(xlim=(0, 100), xlabel="En emploi salarié 6 mois après la sortie, en %", ylabel="", title=f"Certification {CODE}")
note = "Source : InserJeunes, DEPP et DARES, millésime " + ", ".join(sorted(set(frame["millesime"])))
if len(hidden):
    note += "\nMasqué (moins de 20 jeunes) ou non calculable : " + ", ".join(sorted(hidden["region"]))
axes.figure.text(0.01, 0.01, note, fontsize=8)
axes.figure.tight_layout(rect=(0, 0.08, 1, 1))
axes.figure.savefig(IMAGE)
print(f"{len(shown)} régions dessinées, {len(hidden)} masquées")
