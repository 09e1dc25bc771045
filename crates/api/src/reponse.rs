//! Answers, and what every one of them carries.

use crate::Requete;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::Stream;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use store::{StoreError, codec};

/// A streamed body.
pub type Flux = Pin<Box<dyn Stream<Item = Result<Vec<u8>, StoreError>>>>;

/// Answers above this size are compressed where the client takes it.
const GZIP_MIN: usize = 1024;

/// The body of an answer.
pub enum Corps {
    /// Known as a whole.
    Octets(Vec<u8>),
    /// Sent piece by piece.
    Flux(Flux),
}

/// An answer.
pub struct Reponse {
    /// The status.
    pub statut: u16,
    /// Headers, names in lower case.
    pub entetes: Vec<(&'static str, String)>,
    /// The body.
    pub corps: Corps,
}

impl std::fmt::Debug for Reponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reponse").field("statut", &self.statut).field("entetes", &self.entetes).finish_non_exhaustive()
    }
}

/// The type of single JSON answers and of errors.
pub const JSON: &str = "application/json; charset=utf-8";

impl Reponse {
    /// An answer with a body of this type.
    #[must_use]
    pub fn nouvelle(statut: u16, type_contenu: &str, corps: Vec<u8>) -> Self {
        Self { statut, entetes: vec![("content-type", type_contenu.to_owned())], corps: Corps::Octets(corps) }
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(statut: u16, valeur: &serde_json::Value) -> Self {
        Self::nouvelle(statut, JSON, serde_json::to_vec(valeur).unwrap_or_default())
    }

    /// With one more header.
    #[must_use]
    pub fn avec(mut self, nom: &'static str, valeur: impl Into<String>) -> Self {
        self.entetes.push((nom, valeur.into()));
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn entete(&self, nom: &str) -> Option<&str> {
        self.entetes.iter().find(|(n, _)| *n == nom).map(|(_, v)| v.as_str())
    }

    /// Completes a cacheable answer: gzip where the client takes it, a strong ETag of the content
    /// as sent, 304 where the client holds it.
    #[must_use]
    pub fn avec_etag(self, requete: &Requete) -> Self {
        let mut reponse = self.compresser(requete);
        let Corps::Octets(corps) = &reponse.corps else { return reponse };
        let encodage = reponse.entete("content-encoding").unwrap_or_default();
        // One digest of the content; the second one only tells renderings and encodings apart.
        let contenu = codec::empreinte(corps).to_le_bytes();
        let etag =
            codec::empreinte(&[crate::VERSION_RENDU.as_bytes(), &[0], encodage.as_bytes(), &[0], &contenu].concat());
        let chiffre = |rang: u32| char::from_digit(u32::try_from(etag >> (rang * 4) & 0xf).unwrap_or_default(), 16);
        let chiffres = (0..16).rev().filter_map(chiffre);
        let etag: String = std::iter::once('"').chain(chiffres).chain(['"']).collect();
        let connu = requete.entete("if-none-match").is_some_and(|connus| {
            connus.split(',').map(|c| c.trim().trim_start_matches("W/")).any(|c| c == "*" || c == etag)
        });
        if connu && reponse.statut == 200 {
            reponse.statut = 304;
            reponse.corps = Corps::Octets(Vec::new());
            reponse.entetes.retain(|(nom, _)| !matches!(*nom, "content-type" | "content-encoding"));
        }
        reponse.avec("etag", etag)
    }

    /// Compresses the body where the client takes gzip.
    #[must_use]
    pub fn compresser(mut self, requete: &Requete) -> Self {
        self.entetes.push(("vary", "Accept-Encoding".into()));
        if !accepte_gzip(requete) {
            return self;
        }
        self.corps = match self.corps {
            Corps::Octets(corps) if corps.len() <= GZIP_MIN => Corps::Octets(corps),
            Corps::Octets(corps) => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                // Writing to a vector cannot fail.
                let _ = gzip.write_all(&corps);
                self.entetes.push(("content-encoding", "gzip".into()));
                Corps::Octets(gzip.finish().unwrap_or_default())
            }
            Corps::Flux(flux) => {
                self.entetes.push(("content-encoding", "gzip".into()));
                let gzip = GzEncoder::new(Vec::new(), Compression::fast());
                Corps::Flux(Box::pin(FluxGzip { flux, gzip: Some(gzip) }))
            }
        };
        self
    }

    /// What every answer carries, and what a HEAD answer does not.
    #[must_use]
    pub fn finir(mut self, requete: &Requete) -> Self {
        self.entetes.push(("access-control-allow-origin", "*".into()));
        self.entetes
            .push(("access-control-allow-headers", "Origin, X-Requested-With, Content-Type, Accept, API-Key".into()));
        self.entetes.push(("x-content-type-options", "nosniff".into()));
        if let Corps::Octets(corps) = &self.corps
            && self.statut != 304
            && self.statut != 204
        {
            self.entetes.push(("content-length", corps.len().to_string()));
        }
        if requete.methode == "HEAD" {
            self.corps = Corps::Octets(Vec::new());
        }
        self
    }
}

/// Whether the client takes gzip: named, or `*`, and not with a weight of 0.
#[must_use]
pub fn accepte_gzip(requete: &Requete) -> bool {
    requete.entete("accept-encoding").is_some_and(|accepte| {
        accepte.split(',').any(|codage| {
            let mut parties = codage.split(';').map(str::trim);
            let nom = parties.next().unwrap_or_default();
            // A weight of 0 has no other digit (RFC 9110, 12.4.2); parsing it as a number would cost 14 KiB of code.
            let zero = |q: &str| q.starts_with('0') && q.bytes().all(|b| matches!(b, b'0' | b'.'));
            let refuse = parties.filter_map(|p| p.strip_prefix("q=")).any(zero);
            (nom.eq_ignore_ascii_case("gzip") || nom == "*") && !refuse
        })
    })
}

/// Compresses a stream piece by piece: what a piece makes is sent with it.
struct FluxGzip {
    flux: Flux,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl Stream for FluxGzip {
    type Item = Result<Vec<u8>, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let lu = match self.flux.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(lu) => lu,
            };
            match (lu, &mut self.gzip) {
                (Some(Err(erreur)), _) => return Poll::Ready(Some(Err(erreur))),
                (_, None) => return Poll::Ready(None),
                (Some(Ok(morceau)), Some(gzip)) => {
                    // Writing to a vector cannot fail.
                    let _ = gzip.write_all(&morceau);
                    let pret = std::mem::take(gzip.get_mut());
                    if !pret.is_empty() {
                        return Poll::Ready(Some(Ok(pret)));
                    }
                }
                (None, gzip) => {
                    let fin = gzip.take().and_then(|g| g.finish().ok()).unwrap_or_default();
                    return Poll::Ready(Some(Ok(fin)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requete(nom: &str, valeur: &str) -> Requete {
        Requete { methode: "GET".into(), entetes: vec![(nom.into(), valeur.into())].into(), ..Requete::default() }
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepte, attendu) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("*", true), ("gzip;q=0", false), ("br", false), ("", false)]
        {
            assert_eq!(accepte_gzip(&requete("accept-encoding", accepte)), attendu, "{accepte}");
        }
    }

    #[test]
    fn the_etag_follows_the_content_as_sent_and_answers_304() {
        let corps = || Reponse::nouvelle(200, JSON, vec![b'x'; 2000]);
        let clair = corps().avec_etag(&Requete::default());
        let comprime = corps().avec_etag(&requete("accept-encoding", "gzip"));
        assert_ne!(clair.entete("etag"), comprime.entete("etag"));
        let etag = clair.entete("etag").unwrap().to_owned();
        for connu in [etag.clone(), "*".into(), format!("W/{etag}"), format!("\"x\", {etag}")] {
            let encore = corps().avec_etag(&requete("if-none-match", &connu));
            assert_eq!((encore.statut, encore.entete("content-type")), (304, None), "{connu}");
            assert_eq!(encore.entete("etag"), Some(etag.as_str()));
        }
        assert_eq!(corps().avec_etag(&requete("if-none-match", "\"autre\"")).statut, 200);
    }
}
