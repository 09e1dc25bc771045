//! The component of Spin's cron trigger (`components/cron`), called by the trigger.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

static CRON: LazyLock<PathBuf> = LazyLock::new(|| beside::guest("cron"));

async fn event(variables: &[(&str, &str)]) -> Result<(), String> {
    trigger_tests::event(&CRON, variables).await.unwrap()
}

/// Answers in turn, a connection each; hands out what was asked.
async fn server(answers: Vec<(u16, &'static str)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (origin, asked)
}

const RUN: &str = "/internal/import/run";

async fn told(answers: Vec<(u16, &'static str)>, path: &str) -> (std::result::Result<(), String>, Vec<String>) {
    let (origin, asked) = server(answers).await;
    let variables = [("exposition_origine", origin.as_str()), ("chemin", path), ("import_secret", "le-secret")];
    let told = event(&variables).await;
    let asked = asked.lock().unwrap().clone();
    (told, asked)
}

#[tokio::test]
async fn it_calls_the_import_again_while_there_is_more_to_do() {
    let more = (200, r#"{"travail":null,"encore":true}"#);
    let (told, asked) = told(vec![more, more, (200, r#"{"encore":false}"#)], RUN).await;
    assert_eq!(told, Ok(()));
    assert_eq!(asked.len(), 3);
    for request in asked {
        assert!(request.starts_with("POST /internal/import/run HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer le-secret\r\n"), "{request}");
        assert!(request.to_lowercase().contains("content-length: 0\r\n"), "{request}");
    }
}

#[tokio::test]
async fn it_opens_a_run_once_and_leaves_another_alone() {
    let (opened, asked) = told(vec![(201, r#"{"collecte":{}}"#)], "/internal/import/pull").await;
    assert_eq!((opened, asked.len()), (Ok(()), 1));
    let (busy, asked) = told(vec![(409, "{}")], RUN).await;
    assert_eq!((busy, asked.len()), (Ok(()), 1));
}

#[tokio::test]
async fn it_tells_the_trigger_what_went_wrong() {
    let (refused, _) = told(vec![(401, "{}")], RUN).await;
    assert_eq!(refused, Err("/internal/import/run: status 401".to_owned()));
    let nobody = [("exposition_origine", "http://127.0.0.1:1"), ("chemin", RUN), ("import_secret", "le-secret")];
    assert_eq!(event(&nobody).await, Err("/internal/import/run: pas de connexion".to_owned()));
    let no_secret = event(&[("exposition_origine", "http://127.0.0.1:1"), ("chemin", RUN)]).await;
    assert_eq!(no_secret, Err("import_secret is empty: the import would refuse the call".to_owned()));
}
