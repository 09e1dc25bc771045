//! What a re-user may see of its own key: `GET /api/inserjeunes/auth/cle`, with the key.

use crate::login;
use api::access::{WRONG, key_of};
use api::accounts::find_key;
use api::error::ApiError;
use api::quota::{self, QuotaLimits};
use api::{Request, Response, Runtime, read_body, routes};
use serde_json::{Value, json};
use store::kv::KeyValueWrite;

/// Answers the routes under `/api/inserjeunes/auth/`.
pub async fn respond<M: Runtime>(runtime: &M, request: Request, random: [u8; 16]) -> Response
where
    M::Kv: KeyValueWrite,
{
    if request.segments() != ["api", "inserjeunes", "auth", "cle"] {
        return login::auth(runtime, request, random).await;
    }
    let response = match show(runtime, &request).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

/// A key that has ended is shown to whoever holds it: that is what it is asked for.
async fn show<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, ApiError> {
    read_body(request)?;
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::READING)),
        _ => return Err(ApiError::UnknownRoute),
    }
    let owned = find_key(&runtime.kv(), &key_of(request)?).await?.ok_or(ApiError::Unauthorized(WRONG))?;
    let limits = QuotaLimits::read(&runtime.variable(quota::VARIABLE).await?).unwrap_or_default();
    let key = owned.key;
    let valid = key.is_valid(runtime.now_ms());
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    let state = json!({
        "compte": owned.user,
        "empreinte": key.name(),
        "libelle": key.libelle,
        "contact": key.contact,
        "valide": valid,
        "cree_le": text(key.created),
        "expire_le": text(key.expires),
        "dernier_usage": text(key.last_used),
        "limites": {"requetes_par_seconde": limits.requests, "exports_par_heure": limits.exports},
    });
    Ok(Response::json(200, &state).with("cache-control", "no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyTerms, add_key, disable, set_password};
    use api::VariableFault;
    use futures_executor::block_on;
    use std::rc::Rc;
    use store::MemoryStore;
    use store::reading::Cache;

    struct World(&'static MemoryStore);

    impl Runtime for World {
        type Kv = &'static MemoryStore;
        fn kv(&self) -> Self::Kv {
            self.0
        }
        fn cache(&self) -> Rc<Cache> {
            Rc::new(Cache::new())
        }
        async fn variable(&self, name: &str) -> Result<String, VariableFault> {
            Ok(if name == "limites" { "20/s" } else { "secret" }.to_owned())
        }
        fn now_ms(&self) -> i64 {
            domain::date::read_iso("2026-11-27T12:00:00Z").unwrap()
        }
        fn monotonic_ms(&self) -> u64 {
            0
        }
    }

    fn ask(world: &World, key: &str) -> (u16, Value) {
        let request = Request {
            method: "GET".into(),
            path: "/api/inserjeunes/auth/cle".into(),
            headers: vec![("x-api-key".to_owned(), key.to_owned())].into(),
            ..Request::default()
        };
        let response = block_on(respond(world, request, [7; 16]));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let api::ResponseBody::Bytes(body) = response.body else { panic!("it is whole") };
        (response.status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn whoever_holds_a_key_sees_its_state_and_nobody_elses() {
        let world = World(Box::leak(Box::default()));
        block_on(async {
            set_password(&world.0, "mon-application", "$argon2id$").await.unwrap();
            let terms =
                KeyTerms { libelle: "bureau", contact: "a@b.fr", expires: Some("2026-11-26"), today: "2026-01-01" };
            add_key(&world.0, "mon-application", "finie", &terms).await.unwrap();
            add_key(&world.0, "mon-application", "en-cours", &KeyTerms { expires: None, ..terms }).await.unwrap();
        });
        let (status, state) = ask(&world, "finie");
        assert_eq!((status, &state["valide"], &state["expire_le"]), (200, &json!(false), &json!("2026-11-26")));
        let (_, state) = ask(&world, "en-cours");
        assert_eq!(
            (&state["valide"], &state["cree_le"], &state["dernier_usage"]),
            (&json!(true), &json!("2026-01-01"), &Value::Null)
        );
        assert_eq!(state["limites"], json!({"requetes_par_seconde": 20, "exports_par_heure": null}));
        let text = state.to_string();
        assert!(!text.contains("finie") && !text.contains("en-cours") && !text.contains("argon2"), "{text}");
        for other in ["", "autre"] {
            assert_eq!(ask(&world, other).0, 401);
        }
        block_on(disable(&world.0, "mon-application")).unwrap();
        assert_eq!(ask(&world, "en-cours").0, 401);
    }
}
