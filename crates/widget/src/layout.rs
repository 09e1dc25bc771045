//! Where things go. A layout runs from the top down and gives the height it came to.

use crate::{
    Direction, Filieres, Formation, Indicators, Source, Theme,
    canvas::{RING_RADIUS, RING_STROKE, push_uint},
    skin::{Indicator, Skin},
    style::Style,
    surface::Surface,
};

pub(crate) const HEADING: &str = "Que deviennent les jeunes après leur formation\u{a0}?";
pub(crate) const MISSING_HEADING: &str = "Données non disponibles";
pub(crate) const MISSING_TEXT: &str = "Nous n’avons pas de chiffres fiables sur ce que deviennent les jeunes après cette \
     formation. Cela ne dit rien de sa qualité.";
const UNKNOWN: &str = "--";
const LEGEND: &str = "« -- »\u{a0}: donnée non disponible";
const SPACED_LEGEND: &str = "«\u{a0}--\u{a0}»\u{a0}: donnée non disponible";
pub(crate) const PRO: &str = "Voie scolaire";
pub(crate) const APPRENTISSAGE: &str = "Apprentissage";

/// Lines of the course's name.
const LIBELLE_LINES: usize = 2;
/// Lines of the name of a course or a place where the picture may be narrow: none of the longest is cut at 240 pixels.
const NAME_LINES: usize = 6;
/// Lines of all messages together; bounds the size of the picture.
const MESSAGE_LINES: usize = 10;
/// Lines of the texts of this crate: more than they need in any column.
const ALL_LINES: usize = 8;

/// A drawing in progress: theme, column, and how far down it is.
struct Page<S> {
    canvas: S,
    skin: &'static Skin,
    theme: Theme,
    width: i32,
    pad: i32,
    y: i32,
}

/// A column or a cell.
#[derive(Clone, Copy)]
struct Column {
    x: i32,
    width: i32,
}

impl Column {
    /// Divides it into `count` columns of equal width.
    fn split(self, count: i32, gap: i32) -> impl Iterator<Item = Self> + Clone {
        let width = (self.width - gap * (count - 1)) / count;
        (0..count).map(move |index| Self { x: self.x + index * (width + gap), width })
    }

    fn inset(self, by: i32) -> Self {
        Self { x: self.x + by, width: self.width - 2 * by }
    }
}

/// What goes around the indicators, the heading apart.
struct Texts<'a> {
    title: &'a str,
    details: &'a str,
    millesime: &'a str,
    source: Source,
    messages: &'a [&'a str],
}

pub(crate) fn formation<S: Surface>(
    formation: &Formation<'_>,
    theme: Theme,
    direction: Direction,
    setting: S::Setting<'_>,
) -> S::Finished {
    let Formation { title, details, libelle, millesime, source, messages, indicators } = *formation;
    let mut page = Page::<S>::new(theme, direction, S::width(setting, width(theme, direction)), setting);
    page.header(libelle, S::place(&setting));
    match direction {
        Direction::Vertical => page.stack(page.column(), &indicators),
        Direction::Horizontal => page.row(&indicators),
    }
    page.finish(&Texts { title, details, millesime, source, messages }, &[indicators])
}

#[inline(never)]
pub(crate) fn filieres<S: Surface>(
    filieres: &Filieres<'_>,
    theme: Theme,
    direction: Direction,
    setting: S::Setting<'_>,
) -> S::Finished {
    let Filieres { title, details, libelle, millesime, messages, pro, apprentissage } = *filieres;
    let present: Vec<(&str, Indicators)> =
        [(PRO, pro), (APPRENTISSAGE, apprentissage)].into_iter().filter_map(|(name, i)| Some((name, i?))).collect();
    let panels = direction == Direction::Vertical && (theme == Theme::Lba || S::narrow(setting));
    let own = match present.len() {
        2.. if panels => PANELS,
        _ if panels => 338,
        _ => width(theme, direction),
    };
    let mut page = Page::<S>::new(theme, direction, S::width(setting, own), setting);
    page.header(libelle, S::place(&setting));
    let both = [(PRO, pro.unwrap_or_default()), (APPRENTISSAGE, apprentissage.unwrap_or_default())];
    let drawn = if panels { present.as_slice() } else { &both };
    match (theme, direction) {
        (_, Direction::Horizontal) => page.table(&both),
        (Theme::Dsfr, Direction::Vertical) if !panels => page.sections(&both),
        (_, Direction::Vertical) => page.panels(drawn),
    }
    let source = Source::InserJeunes;
    let indicators: Vec<Indicators> = drawn.iter().map(|(_, indicators)| *indicators).collect();
    page.finish(&Texts { title, details, millesime, source, messages }, &indicators)
}

pub(crate) fn missing<S: Surface>(theme: Theme, direction: Direction, setting: S::Setting<'_>) -> S::Finished {
    let mut page = Page::<S>::new(theme, direction, S::width(setting, width(theme, direction)), setting);
    let column = page.column();
    let (skin, top) = (page.skin, page.y);
    let tile = Column { x: column.x + TILE + GAP, width: column.width - TILE - GAP };
    let heading = page.heading();
    page.canvas.rect([column.x, top, TILE, TILE], skin.inner_radius, skin.tint);
    page.canvas.picto([column.x + PICTO, top + PICTO], NO_DATA, skin.muted);
    let lines = heading.wrap(MISSING_HEADING, tile.width, ALL_LINES);
    let offset = (TILE - heading.height(&lines)).max(0) / 2;
    let bottom = page.canvas.lines([tile.x, top + offset], heading, &lines).max(top + TILE);
    page.y = match direction {
        Direction::Vertical => page.paragraph(column, bottom + GAP, skin.body(), MISSING_TEXT),
        Direction::Horizontal => page.paragraph(tile, bottom, skin.body(), MISSING_TEXT),
    };
    page.canvas.finish([page.width, page.y + page.pad], skin, None)
}

/// The widths are part of the contract: re-users reserve the room.
pub(crate) fn width(theme: Theme, direction: Direction) -> i32 {
    match (theme, direction) {
        (Theme::Dsfr, Direction::Vertical) => 320,
        (Theme::Dsfr, Direction::Horizontal) => 720,
        (Theme::Lba, Direction::Vertical) => 328,
        (Theme::Lba, Direction::Horizontal) => 882,
    }
}

/// The width of two statistics in panels side by side.
pub(crate) const PANELS: i32 = 656;
/// From this width on two filieres stand in columns below their names.
pub(crate) const SECTIONS_MIN: i32 = 304;
/// From this width on a column takes the panel of a filiere.
const PANEL_MIN: i32 = 204;
/// Between a picture and its text, between two columns.
const GAP: i32 = 12;
/// Between two indicators.
const ROW_GAP: i32 = 20;
/// A square with a pictogram in its middle.
const TILE: i32 = 40;
/// From the corner of a tile to its pictogram.
const PICTO: i32 = 8;
/// The height of a bar.
const BAR: i32 = 8;
/// A percentage, its bar, and what is between.
const BAR_CELL: i32 = LARGE + BAR + 4;
/// The square that a ring takes up.
const RING: i32 = 2 * RING_RADIUS + RING_STROKE;
/// The size of a percentage beside a bar.
const LARGE: i32 = 32;
/// The size of a percentage inside a ring.
const INSIDE: i32 = 19;
/// Its size times its signs at most, so that `152%` stays clear of the ring.
const INSIDE_ROOM: i32 = 64;
/// The width of a percentage inside a ring, with a space before its sign.
const INSIDE_WIDTH: i32 = 46;
/// A bar of three columns, crossed out.
const NO_DATA: &str =
    "M4 13h4v8H4Zm6-3 4 4v7h-4Zm6 6 4 4v1h-4ZM10 4h4v5l-4-4Zm6 3h4v8l-4-4ZM2.7 1.3l20 20-1.4 1.4-20-20Z";

impl<S: Surface> Page<S> {
    fn new(theme: Theme, direction: Direction, width: i32, setting: S::Setting<'_>) -> Self {
        let pad = match direction {
            Direction::Vertical => 16,
            Direction::Horizontal => 24,
        };
        Self { canvas: S::new(), skin: S::skin(setting, theme), theme, width, pad, y: pad }
    }

    /// Smaller where the column is narrow, so that the heading takes two lines.
    fn heading(&self) -> Style {
        let size = if self.width < 400 { 18 } else { 20 };
        Style { size, ..self.skin.heading() }
    }

    fn column(&self) -> Column {
        Column { x: 0, width: self.width }.inset(self.pad)
    }

    /// Heading, name of the course, and where it is taught.
    fn header(&mut self, libelle: Option<&str>, place: &str) {
        let column = self.column();
        self.y = self.paragraph(column, self.y, self.heading(), HEADING);
        if let Some(libelle) = libelle {
            let style = self.skin.body();
            let lines = style.wrap(libelle, column.width, if S::FREE { NAME_LINES } else { LIBELLE_LINES });
            if !lines.is_empty() {
                self.y = self.canvas.lines([column.x, self.y + 4], style, &lines);
            }
        }
        if S::FREE && !place.is_empty() {
            let style = self.skin.hint();
            let lines = style.wrap(place, column.width, NAME_LINES);
            self.y = self.canvas.lines([column.x, self.y + 4], style, &lines);
        }
        self.y += ROW_GAP;
    }

    /// Draws a text of this crate from `top` down; gives the bottom.
    fn paragraph(&mut self, column: Column, top: i32, style: Style, text: &str) -> i32 {
        let lines = style.wrap(text, column.width, ALL_LINES);
        self.canvas.lines([column.x, top], style, &lines)
    }

    /// One statistic, its indicators one below the other.
    fn stack(&mut self, column: Column, indicators: &Indicators) {
        for (rank, indicator) in self.skin.order.into_iter().enumerate() {
            if rank > 0 {
                self.y += self.cell_gap();
            }
            let height = self.cell_height(column, indicator);
            self.cell(column, height, indicator, indicators);
            self.y += height;
        }
    }

    /// One statistic, its indicators side by side.
    fn row(&mut self, indicators: &Indicators) {
        let gap = match self.theme {
            Theme::Dsfr => 24,
            Theme::Lba => 16,
        };
        let cells = self.column().split(3, gap).zip(self.skin.order);
        let height = cells.clone().map(|(column, indicator)| self.cell_height(column, indicator)).max().unwrap_or(0);
        for (column, indicator) in cells {
            self.cell(column, height, indicator, indicators);
        }
        self.y += height;
    }

    /// Two statistics: a section for each indicator, with a column for each statistic.
    fn sections(&mut self, statistics: &[(&str, Indicators); 2]) {
        let (skin, whole) = (self.skin, self.column());
        let name = Style { size: 14, bold: true, color: skin.text };
        for (column, (filiere, _)) in whole.split(2, 2 * GAP).zip(statistics) {
            self.canvas.rect([column.x, self.y, column.width, 32], skin.inner_radius, skin.tint);
            self.canvas.text([column.x + column.width / 2, self.y + 21], true, name, filiere);
        }
        self.y += 32 + ROW_GAP;
        for (rank, indicator) in skin.order.into_iter().enumerate() {
            if rank > 0 {
                self.y += ROW_GAP + 4;
            }
            self.tile([whole.x, self.y], indicator);
            let beside = Column { x: whole.x + TILE + GAP, width: whole.width - TILE - GAP };
            self.y = self.title(beside, self.y, indicator).max(self.y + TILE) + 8;
            for (column, (_, indicators)) in whole.split(2, 2 * GAP).zip(statistics) {
                self.bar(column, self.y, indicator, indicators);
            }
            self.y += BAR_CELL;
        }
    }

    /// Statistics side by side, or one below the other where two do not fit: a stack for each.
    fn panels(&mut self, statistics: &[(&str, Indicators)]) {
        let (skin, mut top) = (self.skin, self.y);
        let mut bottom = top;
        let columns = i32::try_from(statistics.len()).unwrap_or(1).max(1);
        for (mut column, (filiere, indicators)) in self.column().split(columns, self.pad).zip(statistics) {
            let narrow = S::FREE && column.width < PANEL_MIN;
            if narrow {
                column = self.column();
            }
            self.canvas.rect([column.x, top, column.width, 36], skin.inner_radius, skin.tint);
            self.canvas.text([column.x + column.width / 2, top + 24], true, skin.label(), filiere);
            self.y = top + 36 + GAP;
            self.stack(column, indicators);
            bottom = bottom.max(self.y);
            if narrow {
                top = self.y + ROW_GAP;
            }
        }
        self.y = bottom;
    }

    /// Two statistics: a column for each indicator, a line for each statistic.
    fn table(&mut self, statistics: &[(&str, Indicators); 2]) {
        /// The column with the names of the filières.
        const NAMES: i32 = 152;
        let (skin, whole, top) = (self.skin, self.column(), self.y);
        let cells = Column { x: whole.x + NAMES, width: whole.width - NAMES };
        let (pad, line) = match self.theme {
            Theme::Dsfr => (0, BAR_CELL),
            Theme::Lba => (14, RING),
        };
        let titles = || cells.split(3, 2 * GAP).zip(skin.order);
        let title_height = |(column, indicator): (Column, Indicator)| self.title_height(column.inset(pad), indicator);
        let first = top + pad + titles().map(title_height).max().unwrap_or(0) + GAP;
        let last = first + line + ROW_GAP;
        let bottom = last + line + pad;
        for (column, indicator) in titles() {
            if self.theme == Theme::Lba {
                let card = [column.x, top, column.width, bottom - top];
                self.canvas.rect(card, skin.inner_radius, skin.tint(indicator).pale);
            }
            self.title(column.inset(pad), top + pad, indicator);
        }
        for ((filiere, indicators), y) in statistics.iter().zip([first, last]) {
            let middle = y + line / 2;
            self.canvas.text([whole.x, middle + 5], false, skin.label(), filiere);
            for (column, indicator) in titles() {
                let column = column.inset(pad);
                match self.theme {
                    Theme::Dsfr => self.bar(column, y, indicator, indicators),
                    Theme::Lba => self.ring([column.x + column.width / 2, middle], indicator, indicators),
                }
            }
        }
        self.y = bottom;
    }

    fn cell_gap(&self) -> i32 {
        match self.theme {
            Theme::Dsfr => ROW_GAP,
            Theme::Lba => GAP,
        }
    }

    /// Where the texts of a cell go.
    fn cell_texts(&self, column: Column) -> Column {
        match self.theme {
            Theme::Dsfr => Column { x: column.x + TILE + GAP, width: column.width - TILE - GAP },
            Theme::Lba => {
                let side = GAP + RING + GAP;
                Column { x: column.x + side, width: column.width - side - GAP }
            }
        }
    }

    fn cell_height(&self, column: Column, indicator: Indicator) -> i32 {
        let texts = self.title_height(self.cell_texts(column), indicator);
        match self.theme {
            Theme::Dsfr => BAR_CELL + 4 + texts,
            Theme::Lba => texts.max(RING) + 2 * GAP,
        }
    }

    /// One indicator of one statistic.
    fn cell(&mut self, column: Column, height: i32, indicator: Indicator, indicators: &Indicators) {
        let (skin, texts) = (self.skin, self.cell_texts(column));
        match self.theme {
            Theme::Dsfr => {
                self.tile([column.x, self.y], indicator);
                self.bar(texts, self.y - 4, indicator, indicators);
                self.title(texts, self.y + BAR_CELL + 4, indicator);
            }
            Theme::Lba => {
                let card = [column.x, self.y, column.width, height];
                self.canvas.rect(card, skin.inner_radius, skin.tint(indicator).pale);
                let middle = self.y + height / 2;
                self.ring([column.x + GAP + RING / 2, middle], indicator, indicators);
                self.title(texts, middle - self.title_height(texts, indicator) / 2, indicator);
            }
        }
    }

    fn tile(&mut self, [x, y]: [i32; 2], indicator: Indicator) {
        let tint = self.skin.tint(indicator);
        self.canvas.rect([x, y, TILE, TILE], self.skin.inner_radius, tint.pale);
        self.canvas.picto([x + PICTO, y + PICTO], indicator.picto(), tint.strong);
    }

    /// Name and meaning of an indicator; gives the bottom.
    fn title(&mut self, column: Column, top: i32, indicator: Indicator) -> i32 {
        let y = self.paragraph(column, top, self.skin.label(), indicator.label());
        self.paragraph(column, y, self.skin.hint(), indicator.hint())
    }

    fn title_height(&self, column: Column, indicator: Indicator) -> i32 {
        let height = |style: Style, text| style.height(&style.wrap(text, column.width, ALL_LINES));
        height(self.skin.label(), indicator.label()) + height(self.skin.hint(), indicator.hint())
    }

    /// A percentage above a bar.
    fn bar(&mut self, column: Column, top: i32, indicator: Indicator, indicators: &Indicators) {
        let (tint, rate) = (self.skin.tint(indicator), indicator.rate(indicators));
        self.percentage([column.x, top + LARGE - 6], false, (LARGE, 4 * LARGE, column.width), tint.strong, rate);
        let y = top + LARGE + 4;
        self.canvas.rect([column.x, y, column.width, BAR], self.skin.inner_radius, tint.track);
        let share = i32::try_from(rate.unwrap_or(0).min(100)).unwrap_or(0);
        if share > 0 {
            let filled = (column.width * share / 100).max(1);
            self.canvas.rect([column.x, y, filled, BAR], self.skin.inner_radius, tint.strong);
        }
    }

    /// A percentage inside a ring.
    fn ring(&mut self, [x, y]: [i32; 2], indicator: Indicator, indicators: &Indicators) {
        let (tint, rate) = (self.skin.tint(indicator), indicator.rate(indicators));
        self.canvas.ring([x, y], rate.unwrap_or(0), tint.strong, tint.track);
        self.percentage([x, y + INSIDE / 3], true, (INSIDE, INSIDE_ROOM, INSIDE_WIDTH), tint.strong, rate);
    }

    /// A percentage as one text, the number and the sign together: `45%`, or `--` where unknown.
    /// It is set smaller where `size` times the number of signs would pass `room`; where a space stands before the sign,
    /// where it would be wider than `width`.
    fn percentage(
        &mut self,
        at: [i32; 2],
        centred: bool,
        (size, room, width): (i32, i32, i32),
        color: &'static str,
        rate: Option<u32>,
    ) {
        let mut text = String::new();
        let color = match rate {
            Some(rate) => {
                push_uint(&mut text, rate);
                text.push_str(if S::FREE { "\u{a0}%" } else { "%" });
                color
            }
            None => {
                text.push_str(UNKNOWN);
                self.skin.muted
            }
        };
        // A space and the sign are three bytes, and as wide as two digits of a bold face: 62 hundredths each.
        let room = if S::FREE { width * 100 / 62 } else { room };
        let signs = text.len().saturating_sub(usize::from(S::FREE));
        let size = i32::try_from(signs).map_or(size, |signs| size.min(room / signs.max(1)));
        self.canvas.text(at, centred, Style { size, bold: true, color }, &text);
    }

    /// Messages, legend, source, and the end of the document.
    fn finish(mut self, texts: &Texts<'_>, statistics: &[Indicators]) -> S::Finished {
        let (skin, column) = (self.skin, self.column());
        let (style, inner) = (skin.body(), column.inset(GAP));
        let (mut left, mut gap) = (MESSAGE_LINES, ROW_GAP);
        for message in texts.messages {
            let lines = style.wrap(message, inner.width, left);
            if lines.is_empty() {
                continue;
            }
            left -= lines.len();
            let top = self.y + gap;
            let height = style.height(&lines) + 16;
            self.canvas.rect([column.x, top, column.width, height], skin.inner_radius, skin.tint);
            if self.theme == Theme::Dsfr {
                self.canvas.rect([column.x, top, 4, height], 0, skin.accent);
            }
            self.canvas.lines([inner.x, top + 7], style, &lines);
            (self.y, gap) = (top + height, GAP);
        }
        self.y += ROW_GAP;
        let unknown = |indicators| skin.order.into_iter().any(|indicator| indicator.rate(indicators).is_none());
        if statistics.iter().any(unknown) {
            let legend = if S::FREE { SPACED_LEGEND } else { LEGEND };
            self.y = self.paragraph(column, self.y, skin.small(), legend);
        }
        let source = source(texts.source, texts.millesime);
        self.y = self.paragraph(column, self.y, skin.small(), &source);
        self.canvas.finish([self.width, self.y + self.pad], skin, Some([texts.title, texts.details]))
    }
}

/// Who publishes the figures, and of which year.
pub(crate) fn source(from: Source, millesime: &str) -> String {
    let mut text = String::from(match from {
        Source::InserJeunes => "Source\u{a0}: InserJeunes, Depp-Dares",
        Source::InserSup => "Source\u{a0}: InserSup, Sies",
    });
    if !millesime.is_empty() {
        text.push_str(", millésime\u{a0}");
        text.extend(millesime.chars().map(|letter| if letter == '_' { '-' } else { letter }));
    }
    text
}
