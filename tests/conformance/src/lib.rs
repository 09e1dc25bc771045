//! Plays recorded requests against the built application and compares the answers.
//!
//! A file of cases ([`case`]) holds states of the store, requests and the answers that the former service gave. The
//! cases of one state and configuration are played together ([`play`]): the application starts on an empty store,
//! gets the state through the import routes ([`state`]), its clock stands still at each case's instant, and each
//! answer is compared by the rules of the format ([`recorded`], [`compare`], [`table`], [`image`]). Where this service differs on
//! purpose, the case says so and another answer is required ([`deviation`]). [`report`] counts, and holds the count
//! against a floor that only rises.

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

pub mod case;
pub mod compare;
pub mod deviation;
pub mod image;
pub mod jwt;
pub mod play;
pub mod recorded;
pub mod report;
pub mod server;
pub mod state;
pub mod table;
