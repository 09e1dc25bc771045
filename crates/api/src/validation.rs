//! Faults of parameters, in the recorded form.
//!
//! The former service described its parameters to a validation library of its language; re-users
//! read `message`, `path`, `type` and `context` as that library wrote them.

use serde_json::{Map, Value, json};

/// Where a fault lies: a name, or an item of a list.
#[derive(Clone, Copy, Debug)]
pub enum Lieu<'a> {
    /// A parameter.
    Nom(&'a str),
    /// Item `1` of a list parameter.
    Item(&'a str, usize),
}

impl Lieu<'_> {
    fn label(self) -> String {
        match self {
            Self::Nom(nom) => nom.to_owned(),
            Self::Item(nom, rang) => format!("{nom}[{rang}]"),
        }
    }

    fn path(self) -> Value {
        match self {
            Self::Nom(nom) => json!([nom]),
            Self::Item(nom, rang) => json!([nom, rang]),
        }
    }

    fn key(self) -> Value {
        match self {
            Self::Nom(nom) => nom.into(),
            Self::Item(_, rang) => rang.into(),
        }
    }
}

/// Collects every fault of a request.
#[derive(Debug, Default)]
pub struct Fautes(pub Vec<Value>);

impl Fautes {
    fn ajouter(&mut self, lieu: Lieu<'_>, genre: &str, suite: &str, valeur: Option<Value>, contexte: Value) {
        let label = lieu.label();
        let mut context = match contexte {
            Value::Object(objet) => objet,
            _ => Map::new(),
        };
        context.insert("label".into(), label.clone().into());
        if let Some(valeur) = valeur {
            context.insert("value".into(), valeur);
        }
        context.insert("key".into(), lieu.key());
        self.0.push(json!({
            "message": format!("\"{label}\" {suite}"),
            "path": lieu.path(),
            "type": genre,
            "context": context,
        }));
    }

    /// The value is none of those allowed. `suite` replaces the list in the message.
    pub fn parmi(&mut self, lieu: Lieu<'_>, valeur: Value, valides: &[&str], suite: Option<&str>) {
        let liste = valides.join(", ");
        let texte = match (suite, valides.len()) {
            (Some(suite), _) => suite.to_owned(),
            (None, 1) => format!("must be [{liste}]"),
            (None, _) => format!("must be one of [{liste}]"),
        };
        self.ajouter(lieu, "any.only", &texte, Some(valeur), json!({"valids": valides}));
    }

    /// Empty text.
    pub fn vide(&mut self, lieu: Lieu<'_>) {
        self.ajouter(lieu, "string.empty", "is not allowed to be empty", Some("".into()), Value::Null);
    }

    /// No text.
    pub fn pas_un_texte(&mut self, lieu: Lieu<'_>, valeur: Value) {
        self.ajouter(lieu, "string.base", "must be a string", Some(valeur), Value::Null);
    }

    /// Missing.
    pub fn requis(&mut self, lieu: Lieu<'_>) {
        self.ajouter(lieu, "any.required", "is required", None, Value::Null);
    }

    /// No UAI.
    pub fn uai(&mut self, lieu: Lieu<'_>, valeur: &str) {
        self.motif(lieu, valeur, "/^[0-9]{7}[A-Z]{1}$/");
    }

    /// No place of a declared maille.
    pub fn lieu_declare(&mut self, lieu: Lieu<'_>, valeur: &str) {
        self.motif(lieu, valeur, "/^[A-Za-z0-9_-]{1,20}$/");
    }

    fn motif(&mut self, lieu: Lieu<'_>, valeur: &str, motif: &str) {
        let suite = format!("with value \"{valeur}\" fails to match the required pattern: {motif}");
        self.ajouter(lieu, "string.pattern.base", &suite, Some(valeur.into()), json!({"regex": {}}));
    }

    /// No millesime.
    pub fn millesime(&mut self, lieu: Lieu<'_>, valeur: &str) {
        let suite = "must have format XXXX or XXXX-1_XXXX";
        self.ajouter(lieu, "millesime.invalid", suite, Some(valeur.into()), Value::Null);
    }

    /// No postal code that leads to a region.
    pub fn code_postal(&mut self, lieu: Lieu<'_>, valeur: &str) {
        let suite = "must be a valid postal code or region code";
        self.ajouter(lieu, "postal_code.invalid", suite, Some(valeur.into()), Value::Null);
    }

    /// A list of codes with one that is none.
    pub fn codes(&mut self, lieu: Lieu<'_>, valeur: Value) {
        let suite = "must have the type CFD, MEFSTAT11 or SISE";
        self.ajouter(lieu, "codes_certification.invalid", suite, Some(valeur), Value::Null);
    }

    /// One code that is none.
    pub fn code(&mut self, lieu: Lieu<'_>, valeur: &str) {
        let suite = "must be a valid certification code.";
        self.ajouter(lieu, "code_certification.invalid", suite, Some(valeur.into()), Value::Null);
    }

    /// A list none of whose items is valid.
    pub fn aucun_item(&mut self, lieu: Lieu<'_>, valeur: Value) {
        let suite = "does not contain 1 required value(s)";
        let contexte = json!({"unknownMisses": 1});
        self.ajouter(lieu, "array.includesRequiredUnknowns", suite, Some(valeur), contexte);
    }

    /// A number that is none (`base`), too large to be exact (`unsafe`), or out of bounds.
    pub fn nombre(&mut self, lieu: Lieu<'_>, valeur: Value, faute: FauteNombre) {
        match faute {
            FauteNombre::Base => self.ajouter(lieu, "number.base", "must be a number", Some(valeur), Value::Null),
            FauteNombre::Imprecis => {
                self.ajouter(lieu, "number.unsafe", "must be a safe number", Some(valeur), Value::Null);
            }
            FauteNombre::Min(min) => {
                let suite = format!("must be greater than or equal to {min}");
                self.ajouter(lieu, "number.min", &suite, Some(valeur), json!({"limit": min}));
            }
            FauteNombre::Max(max) => {
                let suite = format!("must be less than or equal to {max}");
                self.ajouter(lieu, "number.max", &suite, Some(valeur), json!({"limit": max}));
            }
        }
    }

    /// A name that the route does not know.
    pub fn inconnu(&mut self, nom: &str, valeur: Value) {
        self.ajouter(Lieu::Nom(nom), "object.unknown", "is not allowed", Some(valeur), json!({"child": nom}));
    }
}

/// What is wrong with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FauteNombre {
    /// No whole number.
    Base,
    /// Beyond 2^53.
    Imprecis,
    /// Below the lower bound.
    Min(u64),
    /// Above the upper bound.
    Max(u64),
}

/// Reads a whole number: outer spaces and an exponent are accepted. `0` and above.
///
/// # Errors
/// What is wrong with it.
pub fn entier(texte: &str) -> Result<u64, FauteNombre> {
    const EXACT: u128 = 9_007_199_254_740_991; // 2^53 - 1
    let texte = texte.trim();
    let (negatif, texte) = match texte.as_bytes().first() {
        Some(b'-') => (true, texte.get(1..).unwrap_or_default()),
        Some(b'+') => (false, texte.get(1..).unwrap_or_default()),
        _ => (false, texte),
    };
    let (mantisse, exposant) = texte.split_once(['e', 'E']).unwrap_or((texte, "0"));
    let chiffres = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !chiffres(mantisse) || !chiffres(exposant.strip_prefix('+').unwrap_or(exposant)) {
        return Err(FauteNombre::Base);
    }
    let exposant: u32 = exposant.trim_start_matches('+').parse().unwrap_or(u32::MAX);
    let valeur = mantisse
        .parse::<u128>()
        .ok()
        .and_then(|m| if m == 0 { Some(0) } else { 10u128.checked_pow(exposant).and_then(|p| m.checked_mul(p)) });
    match valeur {
        Some(valeur) if valeur <= EXACT => {
            if negatif && valeur != 0 {
                return Err(FauteNombre::Min(1));
            }
            u64::try_from(valeur).map_err(|_| FauteNombre::Imprecis)
        }
        _ => Err(FauteNombre::Imprecis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_the_former_service_read_them() {
        for (texte, lu) in [
            ("1", Ok(1)),
            (" 2", Ok(2)),
            ("1e1", Ok(10)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("007", Ok(7)),
            ("abc", Err(FauteNombre::Base)),
            ("", Err(FauteNombre::Base)),
            ("1.5", Err(FauteNombre::Base)),
            ("1e-1", Err(FauteNombre::Base)),
            ("Infinity", Err(FauteNombre::Base)),
            ("-1", Err(FauteNombre::Min(1))),
            ("99999999999999999999", Err(FauteNombre::Imprecis)),
            ("1e400", Err(FauteNombre::Imprecis)),
        ] {
            assert_eq!(entier(texte), lu, "{texte}");
        }
    }
}
