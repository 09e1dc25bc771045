//! The interfaces a guest may import beyond WASI, tied to [`Bucket`] and the variables.

use crate::bucket::{Bucket, Refusal, Swap};
use crate::runtime::State;
use crate::store::Outcome;
use crate::variables::check_name;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Linker, Resource, StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{Result, StoreContextMut, format_err};

#[allow(missing_docs, reason = "generated code")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "host:imports/imports",
        imports: {
            "spin:key-value/key-value": async | store | trappable,
            "spin:key-value/key-value.[drop]store": trappable,
            "spin:variables/variables": async | store | trappable,
            "wasi:keyvalue/store.[drop]bucket": trappable,
            "wasi:keyvalue/atomics.[drop]cas": trappable,
            default: async | trappable,
        },
        with: {
            "spin:key-value/key-value.store": crate::bucket::Bucket,
            "wasi:keyvalue/store.bucket": crate::bucket::Bucket,
            "wasi:keyvalue/atomics.cas": crate::bucket::Swap,
        },
    });
}

use generated::spin::key_value::key_value as kv;
use generated::spin::variables::variables;
use generated::wasi::keyvalue::{atomics, batch, store as wasi};

/// Offers the interfaces to guests.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    generated::Imports::add_to_linker::<_, Guest>(linker, |state| state)
}

struct Guest;

impl HasData for Guest {
    type Data<'a> = &'a mut State;
}

/// A copy of a resource's handle that outlives the borrow of the instance's state.
fn bucket<T>(guest: &Accessor<T, Guest>, store: &Resource<Bucket>) -> Result<Bucket> {
    guest.with(|mut access| Ok(access.get().table.get(store)?.clone()))
}

fn kv_answer<T>(outcome: Outcome<T>) -> Result<T, kv::Error> {
    outcome.map_err(kv::Error::Other)
}

impl kv::Host for State {}

impl kv::HostStore for State {
    fn drop(&mut self, store: Resource<Bucket>) -> Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T> kv::HostStoreWithStore<T> for Guest {
    async fn open(guest: &Accessor<T, Self>, label: String) -> Result<Result<Resource<Bucket>, kv::Error>> {
        let (component, runtime) = guest.with(|mut access| access.get().shares());
        match Bucket::open(label, component, runtime).await {
            Ok(bucket) => guest.with(|mut access| Ok(Ok(access.get().table.push(bucket)?))),
            Err(Refusal::Denied) => Ok(Err(kv::Error::AccessDenied)),
            Err(Refusal::Other(reason)) => Ok(Err(kv::Error::Other(reason))),
        }
    }

    async fn get(
        guest: &Accessor<T, Self>,
        store: Resource<Bucket>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, kv::Error>> {
        Ok(kv_answer(bucket(guest, &store)?.get(&key).await))
    }

    async fn set(
        guest: &Accessor<T, Self>,
        store: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), kv::Error>> {
        Ok(kv_answer(bucket(guest, &store)?.set(&key, &value).await))
    }

    async fn delete(guest: &Accessor<T, Self>, store: Resource<Bucket>, key: String) -> Result<Result<(), kv::Error>> {
        Ok(kv_answer(bucket(guest, &store)?.delete(&key).await))
    }

    async fn exists(
        guest: &Accessor<T, Self>,
        store: Resource<Bucket>,
        key: String,
    ) -> Result<Result<bool, kv::Error>> {
        Ok(kv_answer(bucket(guest, &store)?.exists(&key).await))
    }

    async fn get_keys(
        guest: &Accessor<T, Self>,
        store: Resource<Bucket>,
    ) -> Result<(StreamReader<String>, FutureReader<Result<(), kv::Error>>)> {
        let (keys, end) = bucket(guest, &store)?.stream_keys().await;
        let end = async move {
            let outcome = end.await.unwrap_or_else(|_| Err("the listing was cut off".to_owned()));
            wasmtime::error::Ok(kv_answer(outcome))
        };
        guest.with(|mut access| {
            Ok((StreamReader::new(&mut access, KeyStream(keys))?, FutureReader::new(&mut access, end)?))
        })
    }
}

/// Feeds keys to a guest one at a time, as they are read.
struct KeyStream(mpsc::Receiver<String>);

impl<D> StreamProducer<D> for KeyStream {
    type Item = String;
    type Buffer = Option<String>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, String, Option<String>>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let received = self.get_mut().0.poll_recv(context);
        if received.is_pending() && finish {
            return Poll::Ready(Ok(StreamResult::Cancelled));
        }
        Poll::Ready(Ok(match ready!(received) {
            Some(key) => {
                destination.set_buffer(Some(key));
                StreamResult::Completed
            }
            None => StreamResult::Dropped,
        }))
    }
}

impl variables::Host for State {}

impl<T> variables::HostWithStore<T> for Guest {
    async fn get(guest: &Accessor<T, Self>, name: String) -> Result<Result<String, variables::Error>> {
        if let Err(reason) = check_name(&name) {
            return Ok(Err(variables::Error::InvalidName(reason)));
        }
        let (component, runtime) = guest.with(|mut access| access.get().shares());
        Ok(match component.variables.get(&name) {
            Some(template) => template.resolve(&runtime.variables).map_err(variables::Error::Provider),
            None => {
                let reason = format!("no variable for {:?}.{name:?}", component.id);
                Err(variables::Error::Undefined(reason))
            }
        })
    }
}

fn wasi_answer<T>(outcome: Outcome<T>) -> Result<T, wasi::Error> {
    outcome.map_err(wasi::Error::Other)
}

impl wasi::Host for State {
    async fn open(&mut self, identifier: String) -> Result<Result<Resource<Bucket>, wasi::Error>> {
        let (component, runtime) = self.shares();
        Ok(match Bucket::open(identifier, component, runtime).await {
            Ok(bucket) => Ok(self.table.push(bucket)?),
            Err(Refusal::Denied) => Err(wasi::Error::AccessDenied),
            Err(Refusal::Other(reason)) => Err(wasi::Error::Other(reason)),
        })
    }
}

impl wasi::HostBucket for State {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Option<Vec<u8>>, wasi::Error>> {
        Ok(wasi_answer(self.table.get(&bucket)?.get(&key).await))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<Result<(), wasi::Error>> {
        Ok(wasi_answer(self.table.get(&bucket)?.set(&key, &value).await))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<(), wasi::Error>> {
        Ok(wasi_answer(self.table.get(&bucket)?.delete(&key).await))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<bool, wasi::Error>> {
        Ok(wasi_answer(self.table.get(&bucket)?.exists(&key).await))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<Result<wasi::KeyResponse, wasi::Error>> {
        if cursor.is_some() {
            let reason = "list_keys: cursor not supported".to_owned();
            return Ok(Err(wasi::Error::Other(reason)));
        }
        let keys = self.table.get(&bucket)?.keys().await;
        Ok(wasi_answer(keys).map(|keys| wasi::KeyResponse { keys, cursor: None }))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

/// A key with its value, as `get-many` returns it.
type Pair = (String, Option<Vec<u8>>);

impl batch::Host for State {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Result<Vec<Pair>, wasi::Error>> {
        let some = |(key, value)| (key, Some(value));
        match self.table.get(&bucket)?.get_many(keys).await {
            Ok(Some(pairs)) => Ok(Ok(pairs.into_iter().map(some).collect())),
            // Spin's task panics here.
            Ok(None) => Err(format_err!("get-many on Redis")),
            Err(reason) => Ok(Err(wasi::Error::Other(reason))),
        }
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<(), wasi::Error>> {
        Ok(wasi_answer(self.table.get(&bucket)?.set_many(&pairs).await))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<Result<(), wasi::Error>> {
        Ok(wasi_answer(self.table.get(&bucket)?.delete_many(&keys).await))
    }
}

impl atomics::Host for State {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<Result<i64, wasi::Error>> {
        match self.table.get(&bucket)?.increment(&key, delta).await {
            Ok(Some(value)) => Ok(Ok(value)),
            // Spin panics here, and its store is unusable from then on; a trap of this instance is warning enough.
            Ok(None) => Err(format_err!("increment of {key:?}: its value is not eight bytes")),
            Err(reason) => Ok(Err(wasi::Error::Other(reason))),
        }
    }

    async fn swap(&mut self, cas: Resource<Swap>, value: Vec<u8>) -> Result<Result<(), atomics::CasError>> {
        let mut swap = self.table.get(&cas)?.clone();
        if !swap.lingers() {
            self.table.delete(cas)?;
        }
        match swap.swap(&value).await {
            Ok(true) => Ok(Ok(())),
            Ok(false) => {
                let again = async {
                    let mut again = Swap::new(swap.bucket, swap.key).await?;
                    again.current().await?;
                    Ok(again)
                };
                match again.await {
                    Ok(again) => Ok(Err(atomics::CasError::CasFailed(self.table.push(again)?))),
                    Err(reason) => Ok(Err(atomics::CasError::StoreError(wasi::Error::Other(reason)))),
                }
            }
            Err(reason) => Ok(Err(atomics::CasError::StoreError(wasi::Error::Other(reason)))),
        }
    }
}

impl atomics::HostCas for State {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Resource<Swap>, wasi::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(match Swap::new(bucket, key).await {
            Ok(swap) => Ok(self.table.push(swap)?),
            Err(reason) => Err(wasi::Error::Other(reason)),
        })
    }

    async fn current(&mut self, cas: Resource<Swap>) -> Result<Result<Option<Vec<u8>>, wasi::Error>> {
        Ok(wasi_answer(self.table.get_mut(&cas)?.current().await))
    }

    fn drop(&mut self, cas: Resource<Swap>) -> Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
