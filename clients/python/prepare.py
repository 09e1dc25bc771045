"""The description as openapi-python-client needs it: prepare.py openapi.json > prepared.json

Bodies that are no JSON are files for it, which it knows by `format: binary`. Where a body may come in several forms it
asks for the form by `isinstance`, which neither tells two forms of one schema apart nor knows lists: one form is left.
What `champs` leaves of a document or a view is none of its types: single documents are taken whole.
"""

import json
import sys


def prepared(description):
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [
                each for each in operation.get("parameters", []) if not each.get("$ref", "").endswith("/champs")
            ]
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                content = body.get("content", {})
                for media in ("text/csv", "application/x-ndjson"):
                    if media in content:
                        content[media]["schema"] = {"type": "string", "format": "binary"}
                if body is bodies[0] and content:
                    media = "text/csv" if "text/csv" in content else "application/json"
                    body["content"] = {media: content[media]}
    return description


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        json.dump(prepared(json.load(file)), sys.stdout, ensure_ascii=False)
