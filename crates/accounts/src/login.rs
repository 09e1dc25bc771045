//! `POST /api/inserjeunes/auth/login`: a token for a user and a password.

use crate::gate::{FULL_S, Gate};
use crate::password::{self, Verification};
use crate::slot::LoginPlace;
use api::access::Token;
use api::accounts::Account;
use api::error::ApiError;
use api::validation::{FaultPlace, Faults};
use api::{Request, Response, Runtime, access, accounts, read_body, routes};
use serde_json::{Value, json};
use store::kv::KeyValueWrite;

/// Login: a token for a user and a password.
pub async fn auth<M: Runtime>(runtime: &M, request: Request, random: [u8; 16]) -> Response
where
    M::Kv: KeyValueWrite,
{
    let response = match connect(runtime, &request, random).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn connect<M: Runtime>(runtime: &M, request: &Request, random: [u8; 16]) -> Result<Response, ApiError>
where
    M::Kv: KeyValueWrite,
{
    let fields = read_body(request)?;
    if request.segments() != ["api", "inserjeunes", "auth", "login"] {
        return Err(ApiError::UnknownRoute);
    }
    match request.method.as_ref() {
        "POST" => {}
        "OPTIONS" => return Ok(routes::options("POST")),
        _ => return Err(ApiError::UnknownRoute),
    }
    let (user, password) = credentials(&fields)?;
    let gate = Gate::of_this_instance();
    let attempt = gate.enter(&user, runtime.monotonic_ms()).map_err(ApiError::TooMany)?;
    attempt.wait_for_others().await;
    let kv = runtime.kv();
    let account = accounts::read(&kv, &user).await?;
    if !LoginPlace::of_this_instance().may_check(&kv, random, runtime.now_ms()).await {
        return Err(ApiError::TooMany(FULL_S));
    }
    let verification = password::verify(account.as_ref(), &password);
    let Some(account) = account.filter(|_| verification != Verification::Refused) else {
        attempt.failed(runtime.monotonic_ms());
        return Err(ApiError::Credentials);
    };
    attempt.succeeded();
    if verification == Verification::ToResume
        && let Some(hash) = password::hash_password(&password, random)
    {
        // Only this very hash is replaced, and nothing else of the account: one that was disabled or given another
        // password since it was read stays so.
        let resume = |now: &mut Account| {
            if now.password == account.password {
                now.password.clone_from(&hash);
            }
        };
        crate::change(&kv, &user, resume).await?;
    }
    let secret = runtime.variable("jwt_secret").await?;
    let token = Token { user, password_changes: account.password_changes };
    let token = access::write_token(&secret, &token, runtime.now_ms().div_euclid(1000));
    let token = token.ok_or(ApiError::Credentials)?;
    Ok(Response::json(200, &json!({"token": token})).with("cache-control", "no-store"))
}

/// Two non-empty texts, and nothing else. The names of a JSON array are its indexes, so none is known.
fn credentials(fields: &Value) -> Result<(String, String), ApiError> {
    let mut faults = Faults::default();
    let object = fields.as_object();
    let mut text = |name: &str| {
        let place = FaultPlace::Name(name);
        match object.and_then(|o| o.get(name)) {
            None => faults.required(place),
            Some(Value::String(text)) if text.is_empty() => faults.empty(place),
            Some(Value::String(text)) => return text.clone(),
            Some(other) => faults.not_a_text(place, other.clone()),
        }
        String::new()
    };
    let read = (text("username"), text("password"));
    for (name, value) in
        object.into_iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "username" | "password"))
    {
        faults.unknown(name, value.clone());
    }
    for (rank, value) in fields.as_array().into_iter().flatten().enumerate() {
        faults.unknown(&rank.to_string(), value.clone());
    }
    faults.finish().map(|()| read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::VariableFault;
    use futures_executor::block_on;
    use std::cell::Cell;
    use std::rc::Rc;
    use store::MemoryStore;
    use store::reading::Cache;

    /// Type and path of each fault.
    fn faults(fields: &Value) -> Vec<String> {
        let Err(ApiError::Validation(faults, _)) = credentials(fields) else { return Vec::new() };
        faults
            .iter()
            .map(|f| format!("{} {} {}", f["type"], f["path"], f["context"]["value"]).replace('"', ""))
            .collect()
    }

    #[test]
    fn the_names_of_an_array_are_its_indexes() {
        let required = ["any.required [username] null", "any.required [password] null"];
        assert_eq!(faults(&json!([])), required);
        let expected = [required.as_slice(), &["object.unknown [0] test", "object.unknown [1] {password:p}"]].concat();
        assert_eq!(faults(&json!(["test", {"password": "p"}])), expected);
        assert!(faults(&json!({"username": "u", "password": "p"})).is_empty());
        let other = faults(&json!({"username": "", "password": ["p"], "0": 1}));
        assert_eq!(other.len(), 3, "{other:?}");
    }

    struct World {
        kv: &'static MemoryStore,
        now: Cell<u64>,
    }

    impl Runtime for World {
        type Kv = &'static MemoryStore;
        fn kv(&self) -> Self::Kv {
            self.kv
        }
        fn cache(&self) -> Rc<Cache> {
            Rc::new(Cache::new())
        }
        async fn variable(&self, _: &str) -> Result<String, VariableFault> {
            Ok("secret".into())
        }
        fn now_ms(&self) -> i64 {
            0
        }
        fn monotonic_ms(&self) -> u64 {
            self.now.get()
        }
    }

    /// A store for the test's life, with one account of the former service.
    fn world() -> World {
        let kv: &'static MemoryStore = Box::leak(Box::default());
        block_on(crate::set_password(kv, "test", OLD)).unwrap();
        World { kv, now: Cell::new(0) }
    }

    /// The password is `Password1234!`.
    const OLD: &str = "93edede8ec63d84b72ed3430a8296ed66a8aff4f7f11f9f48d2cb064c22077f7fbc575ee77160bbdd8e92fa61f79cc2af1dcb4c355f3d4da7e4070355fb5287a$2$00112233445566778899aabbccddeeff";

    /// The status, `Retry-After`, and the token.
    fn log_in(world: &World, user: &str, password: &str) -> (u16, Option<String>, String) {
        let request = Request {
            method: "POST".into(),
            path: "/api/inserjeunes/auth/login".into(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())].into(),
            body: json!({"username": user, "password": password}).to_string().into_bytes(),
            ..Request::default()
        };
        let response = block_on(auth(world, request, [7; 16]));
        let after = response.header("retry-after").map(str::to_owned);
        let api::ResponseBody::Bytes(body) = response.body else { panic!("a login is whole") };
        let body: Value = serde_json::from_slice(&body).unwrap();
        (response.status, after, body["token"].as_str().unwrap_or_default().to_owned())
    }

    fn opens(world: &World, token: &str) -> bool {
        let token = access::read_token("secret", token, 0).unwrap();
        block_on(accounts::accepts_token(&world.kv, &token.user, token.password_changes)).unwrap()
    }

    #[test]
    fn a_token_outlives_the_migration_of_its_hash_and_ends_with_the_password() {
        let world = world();
        let (status, _, first) = log_in(&world, "test", "Password1234!");
        let migrated = block_on(accounts::read(&world.kv, "test")).unwrap().unwrap();
        assert!(status == 200 && migrated.password.starts_with("$argon2id$"));
        let (_, _, second) = log_in(&world, "test", "Password1234!");
        assert!(opens(&world, &first) && opens(&world, &second));
        block_on(crate::set_password(&world.kv, "test", OLD)).unwrap();
        assert!(!opens(&world, &first) && !opens(&world, &second));
        let (_, _, third) = log_in(&world, "test", "Password1234!");
        assert!(opens(&world, &third));
    }

    #[test]
    fn guesses_are_slowed_down_for_names_with_and_without_an_account() {
        let world = world();
        for user in ["test", "personne"] {
            let mut statuses = Vec::new();
            for _ in 0..11 {
                statuses.push(log_in(&world, user, "Faux1234!").0);
            }
            assert_eq!(statuses, [[401; 10].as_slice(), &[429]].concat(), "{user}");
        }
        assert_eq!(log_in(&world, "test", "Password1234!"), (429, Some("1".into()), String::new()));
        world.now.set(1_000);
        assert_eq!(log_in(&world, "test", "Password1234!").0, 200);
    }
}
