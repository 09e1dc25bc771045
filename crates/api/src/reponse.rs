//! Answers, and what every one of them carries.

use crate::Requete;
use crate::stream::BodyStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::io::Write;
use store::codec::{self, Reader, Writer};

/// A header of an answer: its name in lower case, and its value.
pub type Entete = (&'static str, Cow<'static, str>);

/// Room for the headers of an answer: most have eight or nine.
const ENTETES: usize = 12;

/// Answers above this size are compressed where the client takes it.
const GZIP_MIN: usize = 1024;

/// The body of an answer.
pub enum Corps {
    /// Known as a whole.
    Octets(Vec<u8>),
    /// Sent piece by piece.
    Flux(BodyStream),
}

/// An answer.
pub struct Reponse {
    /// The status.
    pub statut: u16,
    /// Its headers.
    pub entetes: Vec<Entete>,
    /// The body.
    pub corps: Corps,
    /// How long an instance may send it again.
    pub garde: Garde,
}

/// How long an answer stays what it is, within a generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Garde {
    /// It is made anew each time.
    #[default]
    Non,
    /// As long as the generation is in use.
    Generation,
    /// Until this instant, in milliseconds since 1970.
    Jusque(i64),
}

impl std::fmt::Debug for Reponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reponse").field("statut", &self.statut).field("entetes", &self.entetes).finish_non_exhaustive()
    }
}

/// The type of single JSON answers and of errors.
pub const JSON: &str = "application/json; charset=utf-8";
/// The type of images.
pub(crate) const SVG: &str = "image/svg+xml; charset=utf-8";
/// How long a public answer may be kept, where no closing shortens it: a publication is seen within ten minutes.
pub(crate) const AGE: &str = "public, max-age=600";

impl Reponse {
    /// An answer with a body of this type.
    #[must_use]
    pub fn nouvelle(statut: u16, type_contenu: &'static str, corps: Vec<u8>) -> Self {
        let mut entetes = Vec::with_capacity(ENTETES);
        entetes.push(("content-type", type_contenu.into()));
        Self { statut, entetes, corps: Corps::Octets(corps), garde: Garde::Non }
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(statut: u16, valeur: &serde_json::Value) -> Self {
        Self::nouvelle(statut, JSON, serde_json::to_vec(valeur).unwrap_or_default())
    }

    /// With one more header.
    #[must_use]
    pub fn avec(mut self, nom: &'static str, valeur: impl Into<Cow<'static, str>>) -> Self {
        self.entetes.push((nom, valeur.into()));
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn entete(&self, nom: &str) -> Option<&str> {
        self.entetes.iter().find(|(n, _)| *n == nom).map(|(_, v)| v.as_ref())
    }

    /// Completes a cacheable answer: gzip where the client takes it, a strong ETag of the content
    /// as sent, 304 where the client holds it.
    #[must_use]
    pub fn avec_etag(self, requete: &Requete) -> Self {
        self.etiqueter(requete).conditionnelle(requete)
    }

    /// Compressed where the client takes it, with its ETag.
    #[must_use]
    pub(crate) fn etiqueter(self, requete: &Requete) -> Self {
        let reponse = self.compresser(requete);
        let Corps::Octets(corps) = &reponse.corps else { return reponse };
        let encodage = reponse.entete("content-encoding").unwrap_or_default();
        // One digest of the content; the second one only tells renderings and encodings apart.
        let contenu = codec::empreinte(corps).to_le_bytes();
        let rendu = [crate::VERSION_RENDU.as_bytes(), &[0], encodage.as_bytes(), &[0], &contenu];
        let etag = codec::empreinte(&rendu.concat());
        let mut texte = String::with_capacity(18);
        texte.push('"');
        for rang in (0..16).rev() {
            let chiffre = u32::try_from(etag >> (rang * 4) & 0xf).unwrap_or_default();
            texte.push(char::from_digit(chiffre, 16).unwrap_or_default());
        }
        texte.push('"');
        reponse.avec("etag", texte)
    }

    /// 304 where the client holds what its ETag names.
    #[must_use]
    pub(crate) fn conditionnelle(mut self, requete: &Requete) -> Self {
        if self.statut == 200 && tient(requete, self.entete("etag").unwrap_or_default()) {
            self.statut = 304;
            self.corps = Corps::Octets(Vec::new());
            self.entetes.retain(|(nom, _)| !matches!(*nom, "content-type" | "content-encoding"));
        }
        self
    }

    /// What an instance keeps of this answer; `None` where it may not.
    pub(crate) fn rendu(&self) -> Option<Vec<u8>> {
        let jusque = match self.garde {
            Garde::Non => return None,
            Garde::Generation => None,
            Garde::Jusque(instant) => Some(instant),
        };
        let Corps::Octets(corps) = &self.corps else { return None };
        if self.statut != 200 {
            return None;
        }
        let mut writer = Writer(Vec::with_capacity(corps.len() + 256));
        writer.instant(jusque).size(self.entetes.len());
        for (nom, valeur) in &self.entetes {
            writer.size(GARDES.iter().position(|garde| garde == nom)?);
            match VALEURS.iter().position(|connue| connue == valeur) {
                Some(rang) => writer.size(rang),
                None => writer.size(VALEURS.len()).text(valeur),
            };
        }
        writer.0.extend_from_slice(corps);
        Some(writer.0)
    }

    /// The answer that was kept, where it still holds; `maintenant` is asked only where the day decides.
    pub(crate) fn de_rendu(rendu: &[u8], requete: &Requete, maintenant: impl FnOnce() -> i64) -> Option<Self> {
        let mut reader = Reader(rendu);
        if reader.instant()?.is_some_and(|jusque| maintenant() >= jusque) {
            return None;
        }
        let nombre = reader.size()?;
        let mut entetes = Vec::with_capacity(ENTETES);
        for _ in 0..nombre {
            let nom = *GARDES.get(reader.size()?)?;
            let valeur = match VALEURS.get(reader.size()?) {
                Some(connue) => Cow::Borrowed(*connue),
                None => Cow::Owned(reader.text()?.to_owned()),
            };
            entetes.push((nom, valeur));
        }
        let etag = entetes.iter().find(|(nom, _)| *nom == "etag").map_or("", |(_, etag)| etag.as_ref());
        // A body that is not sent is not copied.
        let corps = if tient(requete, etag) { Vec::new() } else { reader.0.to_vec() };
        let reponse = Self { statut: 200, entetes, corps: Corps::Octets(corps), garde: Garde::Non };
        Some(reponse.conditionnelle(requete))
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
                Corps::Flux(flux.gzip())
            }
        };
        self
    }

    /// What every answer carries, and what a HEAD answer does not.
    #[must_use]
    pub fn finir(mut self, requete: &Requete) -> Self {
        self.entetes.push(("access-control-allow-origin", "*".into()));
        self.entetes.push(("access-control-allow-headers", ENTETES_ADMIS.into()));
        self.entetes.push(("access-control-expose-headers", "ETag, Link, Retry-After".into()));
        self.entetes.push(("x-content-type-options", "nosniff".into()));
        if let Corps::Octets(corps) = &self.corps
            && self.statut != 304
            && self.statut != 204
        {
            self.entetes.push(("content-length", itoa::Buffer::new().format(corps.len()).to_owned().into()));
        }
        if requete.methode == "HEAD" {
            self.corps = Corps::Octets(Vec::new());
        }
        self
    }
}

/// What a page of another site may send: the former service's list, the headers that carry a key, and the one that asks
/// whether something changed.
const ENTETES_ADMIS: &str =
    "Origin, X-Requested-With, Content-Type, Accept, API-Key, X-Api-Key, Authorization, If-None-Match";

/// The headers of answers that are kept, named by their rank here.
const GARDES: [&str; 5] = ["content-type", "cache-control", "vary", "content-encoding", "etag"];

/// Their values that are alike in nearly all of them, named by their rank.
const VALEURS: [&str; 5] = [JSON, AGE, "Accept-Encoding", "gzip", SVG];

/// Whether the client holds the content of an ETag.
fn tient(requete: &Requete, etag: &str) -> bool {
    requete.entete("if-none-match").is_some_and(|connus| {
        connus.split(',').map(|c| c.trim().trim_start_matches("W/")).any(|c| c == "*" || c == etag)
    })
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
