//! A small seeded generator: the same seed gives the same data on every machine, for ever.

/// SplitMix64 (Steele, Lea, Flood, 2014): one 64-bit state, one multiplication chain a step.
#[derive(Clone, Debug)]
pub struct Alea(u64);

impl Alea {
    /// A generator that starts from a seed.
    #[must_use]
    pub fn new(graine: u64) -> Self {
        Self(graine)
    }

    /// A generator of one document: its seed depends on nothing but the document's key, so that
    /// neither the order nor the size of a run changes it.
    #[must_use]
    pub fn de_cle(parties: &[&str]) -> Self {
        // FNV-1a over the parts, with a separator that no part contains.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for partie in parties {
            for octet in partie.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(hash)
    }

    /// The next 64 bits.
    pub fn suivant(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from 0 to `borne - 1`; 0 where `borne` is 0.
    pub fn sous(&mut self, borne: u32) -> u32 {
        let reste = self.suivant().checked_rem(u64::from(borne)).unwrap_or(0);
        u32::try_from(reste).unwrap_or(0)
    }

    /// A whole number from `bas` to `haut`, both included.
    pub fn entre(&mut self, bas: u32, haut: u32) -> u32 {
        bas.saturating_add(self.sous(haut.saturating_sub(bas).saturating_add(1)))
    }

    /// True in `pourcent` cases of a hundred.
    pub fn chance(&mut self, pourcent: u32) -> bool {
        self.sous(100) < pourcent
    }

    /// An index below `longueur`; 0 where it is 0.
    pub fn rang(&mut self, longueur: usize) -> usize {
        let borne = u32::try_from(longueur).unwrap_or(u32::MAX);
        usize::try_from(self.sous(borne)).unwrap_or(0)
    }

    /// One element of a list.
    pub fn choix<'a, T>(&mut self, liste: &'a [T]) -> Option<&'a T> {
        let rang = self.rang(liste.len());
        liste.get(rang)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs of the reference implementation for the seed 1234567.
        let mut alea = Alea::new(1_234_567);
        let premiers: Vec<u64> = (0..3).map(|_| alea.suivant()).collect();
        assert_eq!(premiers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut alea = Alea::de_cle(&["a", "b"]);
        for _ in 0..1_000 {
            assert!((5..=9).contains(&alea.entre(5, 9)));
            assert!(alea.sous(3) < 3);
        }
        assert_eq!(alea.sous(0), 0);
        assert_ne!(Alea::de_cle(&["ab", ""]).suivant(), Alea::de_cle(&["a", "b"]).suivant());
    }
}
