//! The description of the API as a page that needs no script: what Swagger UI shows, for those whom it keeps out.

use crate::fields::text;
use crate::template::{Deployment, PageHead, page, table};
use maud::{Markup, html};
use serde_json::Value;

/// What a reference of the description leads to, or the value itself.
fn resolved<'v>(description: &'v Value, value: &'v Value) -> &'v Value {
    let pointer = value.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    pointer.and_then(|pointer| description.pointer(pointer)).unwrap_or(value)
}

/// A text of the description: what stands between backquotes is code, `[words](path)` a link.
fn prose(text: &str) -> Markup {
    let pieces = text.split('`').enumerate();
    html! {
        @for (rank, piece) in pieces {
            @if rank % 2 == 1 { code { (piece) } } @else { (links(piece)) }
        }
    }
}

fn links(text: &str) -> Markup {
    let mut rest = text;
    let mut parts: Vec<(&str, Option<(&str, &str)>)> = Vec::new();
    while let Some((before, label, path, after)) = link(rest) {
        parts.push((before, Some((label, path))));
        rest = after;
    }
    parts.push((rest, None));
    html! {
        @for (before, link) in parts {
            (before.replace("**", ""))
            @if let Some((label, path)) = link { a href=(path) { (label) } }
        }
    }
}

/// The first link of a text: what stands before it, its words, its path, what follows.
fn link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, label) = text.split_once('[')?;
    let (label, path) = label.split_once("](")?;
    let (path, after) = path.split_once(')')?;
    Some((before, label, path, after))
}

/// An operation: its method, path and what is said of it.
struct Operation<'v> {
    method: String,
    path: &'v str,
    said: &'v Value,
}

fn operations(description: &Value) -> Vec<Operation<'_>> {
    let paths = description.get("paths").and_then(Value::as_object).into_iter().flatten();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten().filter(|(_, said)| said.get("operationId").is_some());
        methods.map(move |(method, said)| Operation { method: method.to_uppercase(), path, said })
    });
    operations.collect()
}

fn parameters(description: &Value, operation: &Operation<'_>) -> Markup {
    let list = operation.said.get("parameters").and_then(Value::as_array);
    let list: Vec<&Value> = list.into_iter().flatten().map(|one| resolved(description, one)).collect();
    if list.is_empty() {
        return html! { p { "Sans paramètre." } };
    }
    let place = |one: &Value| match text(one, "in") {
        "path" => "dans le chemin",
        "query" => "après «\u{a0}?\u{a0}»",
        "header" => "en-tête",
        _ => "",
    };
    let rows = html! {
        @for one in &list {
            tr {
                th scope="row" { code { (text(one, "name")) } }
                td { (place(one)) @if one.get("required").and_then(Value::as_bool) == Some(true) { ", obligatoire" } }
                td { (prose(text(one, "description"))) }
            }
        }
    };
    let caption = format!("Paramètres de {} {}", operation.method, operation.path);
    table(&caption, &caption, &["Nom", "Où", "Ce qu’il dit"], &rows)
}

fn answers(description: &Value, operation: &Operation<'_>) -> Markup {
    let answers = operation.said.get("responses").and_then(Value::as_object).into_iter().flatten();
    html! {
        dl.sheet { @for (status, answer) in answers {
            dt { (status) }
            dd { (prose(text(resolved(description, answer), "description"))) }
        } }
    }
}

/// The page.
pub(crate) fn show(deployment: &Deployment, openapi: &str) -> Markup {
    let description: Value = serde_json::from_str(openapi).unwrap_or_default();
    let operations = operations(&description);
    let tags: Vec<&Value> = description.get("tags").and_then(Value::as_array).into_iter().flatten().collect();
    let of = |tag: &str| {
        let of_tag = |o: &&Operation<'_>| {
            let first = o.said.get("tags").and_then(Value::as_array).and_then(|tags| tags.first());
            first.and_then(Value::as_str) == Some(tag)
        };
        operations.iter().filter(of_tag).collect::<Vec<_>>()
    };
    let body = html! {
        h1 { "Référence de l’API" }
        p.lead { "Chaque route, ses paramètres et ses réponses, à lire sans script." }
        p { "La même description s’essaie dans la " a href="/api/doc" { "documentation interactive" } " et se lit par un programme en " a href="/api/doc/openapi.json" { "OpenAPI (JSON)" } "." }
        nav aria-label="Routes" {
            ul { @for tag in &tags {
                li { a href=(format!("#{}", text(tag, "name"))) { (heading(tag)) } }
            } }
        }
        @for tag in &tags {
            section {
                h2 id=(text(tag, "name")) { (heading(tag)) }
                p { (prose(text(tag, "description"))) }
                @for operation in of(text(tag, "name")) {
                    section.operation {
                        h3 id=(format!("op-{}", text(operation.said, "operationId"))) { (text(operation.said, "summary")) }
                        p { code { (operation.method) " " (operation.path) } }
                        @for paragraph in text(operation.said, "description").split("\n\n").filter(|p| !p.is_empty()) { p { (prose(paragraph)) } }
                        details {
                            summary { "Paramètres et réponses " span.fr-sr-only { "de " (operation.method) " " (operation.path) } }
                            (parameters(&description, operation))
                            h4 { "Réponses" }
                            (answers(&description, operation))
                        }
                    }
                }
            }
        }
    };
    let head = PageHead {
        title: "Référence de l’API",
        description: "Chaque route de l’API, ses paramètres et ses réponses, à lire sans script.",
        here: "/api/doc",
        canonical: "/api/doc/reference",
        ..PageHead::default()
    };
    page(deployment, &head, &body)
}

/// What a group of routes is called.
fn heading(tag: &Value) -> &str {
    match text(tag, "name") {
        "documents" => "Documents",
        "lots" => "Lots et comparaisons",
        "images" => "Images à intégrer",
        "recherche" => "Recherche",
        "appariement" => "Appariement de catalogues",
        "listes" => "Listes et exports",
        "acces" => "Accès",
        "service" => "Service",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_description_stands_on_the_page() {
        let openapi = include_str!("../openapi.json");
        let page = show(&Deployment::default(), openapi).into_string();
        let description: Value = serde_json::from_str(openapi).unwrap();
        let operations = operations(&description);
        assert!(operations.len() > 40, "{}", operations.len());
        for operation in operations {
            let line = format!("<code>{} {}</code>", operation.method, operation.path);
            assert!(page.contains(&line), "{line}");
        }
        assert!(!page.contains("$ref") && !page.contains("](/"), "a reference or a link is shown as it is written");
    }

    #[test]
    fn texts_of_the_description_are_written_as_html() {
        let said = prose("Une clé (`x-api-key`), voir [les erreurs](/api/doc/erreurs).").into_string();
        assert_eq!(said, "Une clé (<code>x-api-key</code>), voir <a href=\"/api/doc/erreurs\">les erreurs</a>.");
    }
}
