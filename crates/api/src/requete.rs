//! Requests, as routes see them.

use crate::erreur::Erreur;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

/// Where headers come from: a name in lower case to its first value.
type Source = Rc<dyn Fn(&str) -> Option<String>>;

/// The headers of a request. A route reads two or three of a dozen, and each one that crosses the runtime's border
/// costs: they are fetched when they are asked for, once.
#[derive(Default)]
pub struct Entetes {
    source: Option<Source>,
    lus: Lus,
}

/// Headers that were asked for, in that order.
#[derive(Default)]
struct Lus(OnceCell<Box<Lu>>);

struct Lu {
    nom: Cow<'static, str>,
    valeur: Option<String>,
    suite: Lus,
}

impl Entetes {
    /// Headers that `source` fetches, given a name in lower case.
    #[must_use]
    pub fn nouveaux(source: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { source: Some(Rc::new(source)), lus: Lus::default() }
    }

    /// The same without one of them.
    #[must_use]
    pub fn sans(&self, entete: &'static str) -> Self {
        let source = self.source.clone();
        Self::nouveaux(move |nom| source.as_ref().filter(|_| nom != entete)?(nom))
    }

    fn lire(&self, nom: Cow<'static, str>) -> Option<&str> {
        let source = self.source.as_ref()?;
        let mut lus = &self.lus;
        loop {
            let suivant = || Box::new(Lu { valeur: source(&nom), nom: nom.clone(), suite: Lus::default() });
            let lu = lus.0.get_or_init(suivant);
            if lu.nom == nom {
                return lu.valeur.as_deref();
            }
            lus = &lu.suite;
        }
    }
}

impl Clone for Entetes {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), lus: Lus::default() }
    }
}

impl fmt::Debug for Entetes {
    // No values: keys are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entetes").finish_non_exhaustive()
    }
}

impl From<Vec<(String, String)>> for Entetes {
    fn from(entetes: Vec<(String, String)>) -> Self {
        Self::nouveaux(move |nom| entetes.iter().find(|(n, _)| n == nom).map(|(_, valeur)| valeur.clone()))
    }
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Requete {
    /// `GET`, `HEAD`, …
    pub methode: Cow<'static, str>,
    /// The path as sent, escapes kept.
    pub chemin: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The headers.
    pub entetes: Entetes,
    /// The body; one byte longer than the limit where it was cut there.
    pub corps: Vec<u8>,
}

impl Requete {
    /// The first value of a header; its name in lower case.
    #[must_use]
    pub fn entete(&self, nom: impl Into<Cow<'static, str>>) -> Option<&str> {
        self.entetes.lire(nom.into())
    }

    /// The segments of the path, undecoded: one trailing slash is accepted, a doubled one is a
    /// segment of its own that no route knows.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        let chemin = self.chemin.strip_prefix('/').unwrap_or(&self.chemin);
        let chemin = chemin.strip_suffix('/').unwrap_or(chemin);
        if chemin.is_empty() { Vec::new() } else { chemin.split('/').collect() }
    }

    /// The parameters of the query, decoded, in order; a repeated one holds several values.
    #[must_use]
    pub fn parametres(&self) -> Vec<(String, Vec<String>)> {
        let mut parametres: Vec<(String, Vec<String>)> = Vec::new();
        for paire in self.query.split('&').filter(|p| !p.is_empty()) {
            let (nom, valeur) = paire.split_once('=').unwrap_or((paire, ""));
            let (nom, valeur) = (decoder(nom, true), decoder(valeur, true));
            match parametres.iter_mut().find(|(n, _)| *n == nom) {
                Some((_, valeurs)) => valeurs.push(valeur),
                None => parametres.push((nom, vec![valeur])),
            }
        }
        parametres
    }
}

/// Decodes percent escapes; what is none stays as it is, and bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn decoder(texte: &str, plus: bool) -> String {
    String::from_utf8_lossy(&octets(texte, plus)).into_owned()
}

/// Decodes a segment of the path; `None` where an escape cannot be decoded.
#[must_use]
pub fn decoder_segment(texte: &str) -> Option<Cow<'_, str>> {
    if !texte.contains('%') {
        return Some(texte.into());
    }
    let mut reste = texte;
    while let Some((_, apres)) = reste.split_once('%') {
        if !apres.as_bytes().get(..2)?.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        reste = apres;
    }
    String::from_utf8(octets(texte, false)).ok().map(Cow::from)
}

/// [`decoder_segment`], or the fault that the client is told.
///
/// # Errors
/// [`Erreur::Illisible`].
pub fn lire_segment(texte: &str) -> Result<Cow<'_, str>, Erreur> {
    decoder_segment(texte).ok_or(Erreur::Illisible("Le chemin contient un échappement qui ne se décode pas"))
}

fn octets(texte: &str, plus: bool) -> Vec<u8> {
    let mut sortie = Vec::with_capacity(texte.len());
    let mut reste = texte.as_bytes();
    while let Some((&octet, apres)) = reste.split_first() {
        reste = apres;
        let echappe = match (octet, apres) {
            (b'%', [a, b, ..]) => char::from(*a).to_digit(16).zip(char::from(*b).to_digit(16)),
            _ => None,
        };
        match echappe.and_then(|(a, b)| u8::try_from(a * 16 + b).ok()) {
            Some(decode) => {
                sortie.push(decode);
                reste = apres.get(2..).unwrap_or_default();
            }
            None => sortie.push(if plus && octet == b'+' { b' ' } else { octet }),
        }
    }
    sortie
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requete(chemin: &str, query: &str) -> Requete {
        Requete { chemin: chemin.into(), query: query.into(), ..Requete::default() }
    }

    #[test]
    fn headers_are_fetched_when_asked_for_and_once() {
        let demandes = Rc::new(std::cell::RefCell::new(Vec::new()));
        let vues = Rc::clone(&demandes);
        let entetes = Entetes::nouveaux(move |nom| {
            vues.borrow_mut().push(nom.to_owned());
            (nom == "accept").then(|| "text/html".to_owned())
        });
        let requete = Requete { entetes, ..Requete::default() };
        assert!(demandes.borrow().is_empty());
        for _ in 0..2 {
            assert_eq!(requete.entete("if-none-match"), None);
            assert_eq!(requete.entete("accept"), Some("text/html"));
        }
        assert_eq!(*demandes.borrow(), ["if-none-match", "accept"]);
        let sans = Requete { entetes: requete.entetes.sans("accept"), ..requete };
        assert_eq!(sans.entete("accept"), None);
    }

    #[test]
    fn one_trailing_slash_is_accepted_a_doubled_one_is_not_the_route() {
        assert_eq!(requete("/api/bcn/", "").segments(), ["api", "bcn"]);
        assert_eq!(requete("/api//bcn", "").segments(), ["api", "", "bcn"]);
        assert_eq!(requete("/api/bcn//", "").segments(), ["api", "bcn", ""]);
        assert!(requete("/", "").segments().is_empty());
    }

    #[test]
    fn queries_are_decoded_and_repeated_names_kept_together() {
        let lus = requete("/", "a=1&b=%2C+x&a=2&c&%E0%A4%A=%E0%A4%A").parametres();
        let attendus = [("a", vec!["1", "2"]), ("b", vec![", x"]), ("c", vec![""]), ("\u{fffd}%A", vec!["\u{fffd}%A"])];
        assert_eq!(lus, attendus.map(|(n, v)| (n.to_owned(), v.into_iter().map(str::to_owned).collect::<Vec<_>>())));
    }

    #[test]
    fn segments_that_cannot_be_decoded_are_told() {
        assert_eq!(decoder_segment("12345678%7C8").as_deref(), Some("12345678|8"));
        for texte in ["%E0%A4%A", "%", "%zz", "%ff"] {
            assert_eq!(decoder_segment(texte), None, "{texte}");
        }
    }
}
