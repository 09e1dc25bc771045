//! The attacker: what is hidden, and follows all the same from what anyone may ask for.
//!
//! It knows public answers only ([`answers`]): documents, lists, declared mailles and filieres views. It writes them down as
//! linear equations over unknown counts ([`equations`]), adds the sums that the data holds by itself, as far as the published
//! sizes confirm them, and narrows the bounds of every unknown, by substitution and by elimination ([`treatments::linear`]). What ends up
//! known exactly, or within ±2, is reported cell by cell ([`report`]).
//!
//! Images hold three rates of the same answers in JSON and add nothing.
//!
//! It knows nothing of what hides: neither the rule of sums nor the treatment is asked what it would do; all that it has in common
//! with the treatment is how equations are solved. [`site`] asks a running service over HTTP; [`service`] stands in for one,
//! natively: documents as they are published, and the function that the view's route calls. Both are asked the same [`views`].
//!
//! Bounds are those of propagation over every equation and every row of the eliminated system. They are right, but a solver of
//! integer programmes may find narrower ones.

pub mod answers;
pub mod equations;
pub mod report;
pub mod service;
pub mod site;
pub mod views;
