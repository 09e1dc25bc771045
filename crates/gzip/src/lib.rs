//! gzip (RFC 1952) of answers, as a document of two kilobytes asks for it.
//!
//! Libraries set up a third of a megabyte before the first byte, and look for the best codes: a first compressed document was
//! answered at 0.46 of the rate of a get, and their code was a thirtieth of a component. Here the codes are those that the
//! format fixes (RFC 1951, 3.2.6), and a match is looked for in one place: documents are a fifth larger, lists a tenth, and
//! made in a fraction of the time (docs/PERFORMANCE.md).

/// The farthest that a match may begin before its copy, in bytes (RFC 1951, 3.2.5).
const WINDOW: usize = 32 * 1024;
/// The longest match.
const LONGEST: usize = 258;
/// The shortest that lengths are counted from; the shortest that is looked for is the four bytes of [`Gzip::place`].
const SHORTEST: usize = 3;
/// Places that are remembered, as a power of two: 4,096 of four bytes each are cleared for every answer.
const PLACES_BITS: u32 = 12;
const PLACES: usize = 1 << PLACES_BITS;
/// Of the places inside a match one in so many is remembered: each of them would take twice the time, for a fifteenth less.
const REMEMBERED: usize = 8;

/// Magic number, deflate, no flags, no time, fastest method, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// The beginning of a block of fixed codes that is not the last one, and of one that is; then the code that ends a block.
const BLOCK: Code = Code { bits: 0b010, count: 3 };
const LAST_BLOCK: Code = Code { bits: 0b011, count: 3 };
const END: Code = Code { bits: 0, count: 7 };

/// Bits as they are written, the first one lowest.
#[derive(Clone, Copy)]
struct Code {
    bits: u32,
    count: u32,
}

/// Codes are written from their highest bit on, everything else from its lowest.
const fn code(value: u32, count: u32) -> Code {
    Code { bits: value.reverse_bits() >> (32 - count), count }
}

/// The code of each byte.
#[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "below 256, or it does not compile")]
const LITERALS: [Code; 256] = {
    let mut literals = [END; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u32;
        literals[byte] = if value < 144 { code(0x30 + value, 8) } else { code(0x190 + value - 144, 9) };
        byte += 1;
    }
    literals
};

/// The code of each length from [`SHORTEST`] on, its extra bits behind it.
#[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "below 256, or it does not compile")]
const LENGTHS: [Code; 256] = {
    let mut lengths = [END; 256];
    let mut rank = 0;
    while rank < 256 {
        let beyond = rank as u32;
        let (symbol, extra) = match beyond {
            255 => (285, 0),
            0..8 => (257 + beyond, 0),
            _ => {
                let extra = beyond.ilog2() - 2;
                (257 + (extra << 2) + (beyond >> extra), extra)
            }
        };
        let named = if symbol < 280 { code(symbol - 256, 7) } else { code(0xc0 + symbol - 280, 8) };
        let rest = if beyond == 255 { 0 } else { beyond & ((1 << extra) - 1) };
        lengths[rank] = Code { bits: named.bits | rest << named.count, count: named.count + extra };
        rank += 1;
    }
    lengths
};

/// The code of each class of distances, without its extra bits.
#[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "below 256, or it does not compile")]
const DISTANCES: [Code; 30] = {
    let mut distances = [END; 30];
    let mut class = 0;
    while class < 30 {
        distances[class] = code(class as u32, 5);
        class += 1;
    }
    distances
};

/// Compresses a body that is known as a whole.
#[must_use]
pub fn compress(body: &[u8]) -> Vec<u8> {
    let mut gzip = Gzip::default();
    gzip.written.reserve(body.len() / 2 + 64);
    gzip.sum(body);
    gzip.deflate(body, 0);
    gzip.finish()
}

/// Compresses a body piece by piece. It holds the last 32 KiB and the piece, and what was not taken yet.
pub struct Gzip {
    /// Whole bytes that were made.
    written: Vec<u8>,
    /// Bits that are not a whole byte yet, the next one to be written lowest; fewer than 32 between two codes.
    bits: u64,
    count: u32,
    /// The window before the last piece, and that piece.
    window: Vec<u8>,
    /// What went before the window, in bytes; as all places it counts anew from 2^32 on.
    gone: u32,
    /// Where four bytes were seen last, by their hash: one more than the place, 0 where they never were.
    places: Box<[u32; PLACES]>,
    checksum: crc32fast::Hasher,
    size: u32,
}

impl Default for Gzip {
    fn default() -> Self {
        let mut gzip = Self {
            written: HEADER.to_vec(),
            bits: 0,
            count: 0,
            window: Vec::new(),
            gone: 0,
            places: Box::new([0; PLACES]),
            checksum: crc32fast::Hasher::new(),
            size: 0,
        };
        gzip.put(BLOCK);
        gzip
    }
}

impl Gzip {
    /// Compresses the next piece.
    pub fn write(&mut self, piece: &[u8]) {
        self.sum(piece);
        let gone = self.window.len().saturating_sub(WINDOW);
        self.window.drain(..gone);
        self.gone = self.gone.wrapping_add(low(gone));
        let mut window = std::mem::take(&mut self.window);
        let from = window.len();
        window.extend_from_slice(piece);
        self.deflate(&window, from);
        self.window = window;
    }

    /// What was made since this was asked last. The last bits of a piece may wait for the next one.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// What was not taken yet, to the end of the body.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        // That a block is the last one stands at its beginning: an empty one ends the body.
        self.put(END);
        self.put(LAST_BLOCK);
        self.put(END);
        let Self { mut written, bits, count, checksum, size, .. } = self;
        written.extend(bits.to_le_bytes().iter().take(count.div_ceil(8) as usize));
        written.extend_from_slice(&checksum.finalize().to_le_bytes());
        written.extend_from_slice(&size.to_le_bytes());
        written
    }

    fn sum(&mut self, piece: &[u8]) {
        self.checksum.update(piece);
        self.size = self.size.wrapping_add(low(piece.len()));
    }

    #[inline(always)]
    fn put(&mut self, code: Code) {
        self.bits |= u64::from(code.bits) << self.count;
        self.count += code.count;
        if self.count >= 32 {
            self.written.extend_from_slice(&self.bits.to_le_bytes()[..4]);
            self.bits >>= 32;
            self.count -= 32;
        }
    }

    /// Writes what stands in the window from there on.
    fn deflate(&mut self, window: &[u8], mut at: usize) {
        while let Some(next) = four(window, at) {
            let length = self.write_match(window, at, next);
            if length == 0 {
                self.put_byte(next[0]);
                at += 1;
            } else {
                at += length;
            }
        }
        window.get(at..).unwrap_or_default().iter().for_each(|byte| self.put_byte(*byte));
    }

    #[inline(always)]
    fn put_byte(&mut self, byte: u8) {
        if let Some(code) = LITERALS.get(usize::from(byte)) {
            self.put(*code);
        }
    }

    /// Tells that what stands there stood before, where the last place of its first four bytes says so: how many bytes, or 0.
    #[inline(always)]
    fn write_match(&mut self, window: &[u8], at: usize, next: &[u8; 4]) -> usize {
        let here = self.gone.wrapping_add(low(at)).wrapping_add(1);
        let place = self.place(next);
        let last = std::mem::replace(place, here);
        let distance = here.wrapping_sub(last) as usize;
        if last == 0 || distance == 0 || distance > at.min(WINDOW) {
            return 0;
        }
        let before = window.get(at - distance..).unwrap_or_default();
        if before.first_chunk() != Some(next) {
            return 0;
        }
        let new = window.get(at..window.len().min(at + LONGEST)).unwrap_or_default();
        let length = next.len() + new.iter().zip(before).skip(next.len()).take_while(|(a, b)| a == b).count();
        let beyond = low(distance) - 1;
        let (class, extra) = match beyond.checked_ilog2() {
            None | Some(0) => (beyond, 0),
            Some(log) => (2 * log + (beyond >> (log - 1) & 1), log - 1),
        };
        let (Some(length_code), Some(class)) = (LENGTHS.get(length - SHORTEST), DISTANCES.get(class as usize)) else {
            return 0;
        };
        self.put(*length_code);
        self.put(Code { bits: class.bits | (beyond & ((1 << extra) - 1)) << class.count, count: class.count + extra });
        for inside in (REMEMBERED..length).step_by(REMEMBERED) {
            if let Some(next) = four(window, at + inside) {
                *self.place(next) = here.wrapping_add(low(inside));
            }
        }
        length
    }

    /// Where the last place of these four bytes is remembered.
    #[inline(always)]
    fn place(&mut self, next: &[u8; 4]) -> &mut u32 {
        let hash = u32::from_le_bytes(*next).wrapping_mul(0x9e37_79b1) >> (32 - PLACES_BITS);
        #[expect(clippy::indexing_slicing, reason = "there are as many places as hashes")]
        &mut self.places[hash as usize % PLACES]
    }
}

fn four(window: &[u8], at: usize) -> Option<&[u8; 4]> {
    window.get(at..)?.first_chunk()
}

/// The low half of a number of bytes: places and sizes count anew from 2^32 on.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn low(bytes: usize) -> u32 {
    bytes as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read;

    fn read(compressed: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        let mut decoder = GzDecoder::new(compressed);
        decoder.read_to_end(&mut read).expect("gzip that every client reads");
        assert!(decoder.into_inner().is_empty(), "nothing behind the end");
        read
    }

    fn in_pieces(body: &[u8], sizes: &[usize]) -> Vec<u8> {
        let (mut gzip, mut sent, mut rest) = (Gzip::default(), Vec::new(), body);
        for size in sizes {
            let (piece, other) = rest.split_at((*size).min(rest.len()));
            gzip.write(piece);
            sent.extend(gzip.take());
            rest = other;
        }
        gzip.write(rest);
        sent.extend(gzip.finish());
        sent
    }

    /// Text in which much comes again, near and far, as in answers.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let words = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..12), 1..40);
        (words, proptest::collection::vec(any::<prop::sample::Index>(), 0..400))
            .prop_map(|(words, order)| order.into_iter().flat_map(|index| index.get(&words).clone()).collect())
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(body in body(), sizes: Vec<u8>) {
            let sizes: Vec<usize> = sizes.into_iter().map(usize::from).collect();
            prop_assert_eq!(&read(&compress(&body)), &body);
            prop_assert_eq!(read(&in_pieces(&body, &sizes)), body);
        }

        #[test]
        fn any_bytes_come_back(body: Vec<u8>) {
            prop_assert_eq!(read(&compress(&body)), body);
        }
    }

    #[test]
    fn every_length_and_class_of_distances_comes_back() {
        let mut noise = 1u32;
        let mut byte = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        for distance in (0..16).flat_map(|log| [1 << log, (1 << log) + 1, 3 << log]).filter(|d| *d <= WINDOW + 2) {
            for length in [4, 10, 11, 18, 19, 130, 131, 257, 258, 259, 600] {
                let start: Vec<u8> = (0..distance).map(|_| byte()).collect();
                let body: Vec<u8> = start.iter().copied().cycle().take(distance + length).collect();
                assert_eq!(read(&compress(&body)), body, "{length} bytes from {distance} before");
            }
        }
    }

    #[test]
    fn a_long_body_holds_no_more_than_its_window() {
        let line = "0750652B;BAC PRO;2022;taux_en_emploi;";
        let body: Vec<u8> =
            (0..9_000).flat_map(|rank| format!("{line}{}\n", rank * 7_919 % 9_973).into_bytes()).collect();
        let mut gzip = Gzip::default();
        let mut sent = Vec::new();
        for piece in body.chunks(1_000) {
            gzip.write(piece);
            assert!(gzip.window.len() <= WINDOW + piece.len());
            sent.extend(gzip.take());
        }
        sent.extend(gzip.finish());
        assert!(sent.len() * 5 < body.len(), "{} of {}", sent.len(), body.len());
        assert_eq!(read(&sent), body);
    }

    #[test]
    fn places_count_anew_after_four_gigabytes() {
        let mut gzip = Gzip { gone: u32::MAX - 500, ..Gzip::default() };
        let body: Vec<u8> = (0..200).flat_map(|rank| format!("formation {};", rank % 17).into_bytes()).collect();
        body.chunks(70).for_each(|piece| gzip.write(piece));
        assert_eq!(read(&gzip.finish()), body);
    }

    #[test]
    fn of_nothing_there_is_an_end() {
        assert_eq!(read(&compress(b"")), b"");
        assert_eq!(read(&Gzip::default().finish()), b"");
    }
}
