"""Un export CSV vers un classeur ou Parquet : python convertir.py EXPORT.csv SORTIE.xlsx|SORTIE.parquet"""
import sys

import pandas

SOURCE, TARGET = sys.argv[1:]
EXCEL_ROWS = 1_048_575
# Codes are texts (a number would lose its zeros).
frame = pandas.read_csv(SOURCE, sep=";", dtype=str, keep_default_na=False)
figures = [name for name in frame.columns if name.startswith(("nb_", "taux_", "salaire_"))]
if figures:
    # A column of its own keeps what "null" says: hidden, not unknown.
    frame["masque"] = (frame[figures] == "null").any(axis=1)
for name in figures:
    numbers = pandas.to_numeric(frame[name].replace({"null": None, "": None}))
    frame[name] = numbers.astype("Int64") if (numbers.dropna() % 1 == 0).all() else numbers
if TARGET.endswith(".parquet"):
    frame.to_parquet(TARGET, index=False)
elif len(frame) > EXCEL_ROWS:
    sys.exit(f"{len(frame)} lignes : une feuille en tient {EXCEL_ROWS}, filtrer l'export ou choisir .parquet")
else:
    frame.to_excel(TARGET, index=False, freeze_panes=(1, 0))
print(f"{len(frame)} lignes, {len(frame.columns)} colonnes")
