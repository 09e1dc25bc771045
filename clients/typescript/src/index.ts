// A client whose types are those of the description: `schema.ts` is generated from it (npm run schema).
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, operations, paths } from "./schema.js";
export type Document = components["schemas"]["Document"];
export type Filieres = components["schemas"]["Filieres"];
/** Every millésime of a document (`historique=1`). */
export type History = components["schemas"]["Historique"];
/** What `champs` left of an answer. */
export type Extract = components["schemas"]["Extrait"];
/** A line of the answer to a lot: `rows<LotLine>(response)`. */
export type LotLine = components["schemas"]["LigneDeLot"];
export type Row = components["schemas"]["Ligne"];
export type TerminalAbsence = components["schemas"]["TerminaleAbsente"];

export interface Options {
  /** The address of the service, with its prefix. */
  address: string;
  /** A key or a token; single documents need none. It does not belong into a public page. */
  key?: string;
}

/** The client: `client.GET("/api/inserjeunes/certifications/{codes}", …)`. */
export function exposition({ address, key }: Options): Client<paths> {
  return createClient<paths>({ baseUrl: address.replace(/\/+$/, ""), headers: key ? { "x-api-key": key } : {} });
}

/** What the route of a document answers. */
export type Answer = Document | History | Filieres | Extract;

/** Whether the answer is one document, not the view by filiere nor a history. Not for answers to `champs`. */
export function isDocument(answer: Answer): answer is Document {
  return "code_certification" in answer;
}

/** Whether the answer is the view by filiere. Not for answers to `champs`. */
export function isFilieres(answer: Answer): answer is Filieres {
  return "pro" in answer || "apprentissage" in answer;
}

/** Whether the final year has a document, or `error` says why not. */
export function hasDocument(year: Document | TerminalAbsence): year is Document {
  return !("error" in year);
}

/** The rows of an NDJSON export, or the lines of a lot, as they arrive. Ends with an error where the answer was cut. */
export async function* rows<T = Row>(response: Response): AsyncGenerator<T> {
  if (!response.ok || !response.body) throw new Error(`${response.status}: ${await response.text()}`);
  const text = response.body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>);
  let rest = "";
  let count = 0;
  for await (const piece of text as unknown as AsyncIterable<string>) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      count += 1;
      yield JSON.parse(line) as T;
    }
  }
  if (rest) {
    count += 1;
    yield JSON.parse(rest) as T;
  }
  const announced = response.headers.get("x-row-count");
  if (announced !== null && Number(announced) !== count) throw new Error(`cut: ${count} rows of ${announced}`);
}
