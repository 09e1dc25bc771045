"""Calls every operation of the generated client on a server with the sample: URL=… CLE=… python calls.py"""

import datetime
import importlib
import io
import json
import os
import pkgutil
import re

import exposition_client.api
from exposition_client import AuthenticatedClient
from exposition_client.models import Demande, Document, Filieres, Historique, Identifiants, Lot
from exposition_client.models.certification_historique import CertificationHistorique
from exposition_client.models.certification_vue import CertificationVue
from exposition_client.models.identifiant_systeme import IdentifiantSysteme
from exposition_client.models.image_certification_svg_fond import ImageCertificationSvgFond
from exposition_client.types import File

CODE, UAI = "40099013", "9749801K"
THERE = {"region": "04"}
PLACE = {"maille": "academies", "lieu": "28"}
SCHOOL = {"uai": UAI, "code_certification": "01099051"}
ROWS = {"items_par_page": 3}


def catalogue():
    text = f"CODEFORMATIONACCUEIL;CODECFD;UAI_GES\n1;{CODE};{UAI}\n"
    return {"body": File(payload=io.BytesIO(text.encode()), mime_type="text/csv")}


ARGUMENTS = {
    "certification": {"codes": CODE},
    "certification_image": {"codes": CODE},
    "regionale": {**THERE, "codes": CODE},
    "regionale_image": {**THERE, "codes": CODE},
    "maille_certification": {**PLACE, "codes": CODE},
    "maille_certification_image": {**PLACE, "codes": CODE},
    "formation": SCHOOL,
    "formation_image": SCHOOL,
    "image_certification_svg": {"codes": CODE, "largeur": 240, "fond": ImageCertificationSvgFond.SOMBRE},
    "image_certification_png": {"codes": CODE, "largeur": 480, "texte": 150, "echelle": 1},
    "image_regionale_svg": {**THERE, "codes": CODE},
    "image_regionale_png": {**THERE, "codes": CODE},
    "image_maille_certification_svg": {**PLACE, "codes": CODE},
    "image_maille_certification_png": {**PLACE, "codes": CODE},
    "image_formation_svg": SCHOOL,
    "image_formation_png": SCHOOL,
    "mailles": {},
    "lots": {"body": Lot(demandes=[Demande(code_certification=CODE), Demande(**SCHOOL)], comparaison=True)},
    "comparaison_certification": {"code_certification": CODE},
    "comparaison_regionale": {**THERE, "code_certification": CODE},
    "comparaison_maille": {**PLACE, "code_certification": CODE},
    "comparaison_formation": SCHOOL,
    # There is no account in the sample: the answer is the described refusal.
    "connexion": {"body": Identifiants(username="nobody", password="none")},
    # Nor is the shared key a personal one.
    "etat_de_la_cle": {},
    "recherche": {"q": "accueil"},
    "recherche_certification": {"code_certification": CODE},
    "recherche_etablissement": {"uai": UAI},
    "identifiant": {"systeme": IdentifiantSysteme.MEF, "code": "2389901133"},
    "appariement_formation": {"codecfd": CODE, "uai_ges": UAI},
    "appariement_codes": {"codecfd": CODE},
    "appariement_formations": catalogue(),
    "appariement_codes_catalogue": catalogue(),
    "appariement_couverture": catalogue(),
    "appariement_suggestions": {"uai": UAI},
    "appariement_raisons": {},
    "version": {},
    "statut": {},
    "exports": {},
    "changements": {"depuis": "g1"},
    "changements_atom": {},
    "calendrier": {},
    "calendrier_ics": {},
    "openapi": {},
}
for suffix in ("", "_csv", "_ndjson"):
    for name, place in (
        ("certifications", {}),
        ("regionales", {}),
        ("regionales_region", THERE),
        ("formations", {}),
        ("bcn", {}),
        ("maille", {"maille": "academies"}),
        ("maille_lieu", PLACE),
    ):
        ARGUMENTS[name + suffix] = {**place, **ROWS}

client = AuthenticatedClient(
    base_url=os.environ["URL"], token=os.environ["CLE"], prefix="", auth_header_name="x-api-key",
    raise_on_unexpected_status=True,
)
modules = {}
for _, tag, _ in pkgutil.iter_modules(exposition_client.api.__path__):
    package = importlib.import_module(f"exposition_client.api.{tag}")
    for _, name, _ in pkgutil.iter_modules(package.__path__):
        modules[name] = importlib.import_module(f"{package.__name__}.{name}")
assert modules.keys() == ARGUMENTS.keys(), modules.keys() ^ ARGUMENTS.keys()



def told(value):
    """A value in which an instant is one, however it is written."""
    if isinstance(value, dict):
        return {name: told(of) for name, of in value.items()}
    if isinstance(value, list):
        return [told(of) for of in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", value):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value


for name, module in modules.items():
    answer = module.sync_detailed(client=client, **ARGUMENTS[name])
    expected = {"connexion": 401, "etat_de_la_cle": 401, "identifiant": 307}.get(name, 200)
    assert answer.status_code == expected, (name, answer.status_code, answer.content)
    assert answer.parsed is not None, name
    if "json" in answer.headers["content-type"] and "ndjson" not in answer.headers["content-type"]:
        # Types lose nothing of what was answered.
        assert told(answer.parsed.to_dict()) == told(json.loads(answer.content)), name

document = modules["certification"].sync(client=client, codes=CODE)
assert isinstance(document, Document) and document.diplome.libelle == "BAC PRO", document
both = modules["certification"].sync(client=client, codes=CODE, vue=CertificationVue.FILIERES)
assert isinstance(both, Filieres) and both.pro.filiere == "pro", both
family = modules["certification"].sync(client=client, codes="23810099010")
assert all(isinstance(year, Document) for year in family.certifications_terminales), family
history = modules["certification"].sync(client=client, codes=CODE, historique=CertificationHistorique.VALUE_1)
assert isinstance(history, Historique) and len(history.historique) > 1, history
beside = modules["comparaison_formation"].sync(client=client, **SCHOOL)
there = beside.comparaison.region
assert there.statut == 200 and isinstance(there.document, Document), beside
lines = [json.loads(line) for line in modules["lots"].sync(client=client, **ARGUMENTS["lots"]).payload]
assert [line["statut"] for line in lines] == [200, 200] and lines[1]["document"] == beside.document.to_dict(), lines
print(f"{len(modules)} operations called")
