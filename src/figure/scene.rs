//! The marks of one figure in CSS pixels, painted by the backends of plotters.
//!
//! plotters' backends count in whole pixels, so a figure is painted enlarged: an SVG ten times, with a `viewBox` that undoes it; a PNG
//! three times its final size, then averaged down, which smooths every edge alike.

use super::text::{FAMILY, FONT_HEIGHT, clean};
use super::theme::{PAPER, SVG_FAMILY};
use crate::error::{Error, Result};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, TextStyle,
};
use std::collections::BTreeMap;

/// Pixels of a PNG for each CSS pixel.
const PNG_SCALE: usize = 2;
/// Painted pixels for each pixel of a PNG, along one side.
const OVERSAMPLING: usize = 3;
const SVG_SCALE: usize = 10;
/// plotters writes the size of letters divided by this number into an SVG.
const SVG_FONT_HEIGHT: f64 = 1.24;
/// No figure is larger; a coordinate beyond it is a mistake.
const LARGEST: f64 = 8000.0;

/// A place in CSS pixels from the upper left corner.
pub(super) type Place = (f64, f64);

pub(super) enum Mark {
    Line {
        path: Vec<Place>,
        color: RGBColor,
        width: f64,
    },
    Area {
        outline: Vec<Place>,
        color: RGBAColor,
    },
    Disc {
        center: Place,
        radius: f64,
        color: RGBColor,
    },
    Text(Text),
}

/// One line of text on its baseline.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) at: Place,
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) align: HPos,
    pub(super) color: RGBColor,
    /// Written upwards instead of to the right.
    pub(super) upright: bool,
}

/// A figure that is laid out.
pub(super) struct Scene {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) marks: Vec<Mark>,
    /// What a browser says of a mark that is pointed at, by the mark's number.
    notes: BTreeMap<usize, String>,
}

impl Scene {
    pub(super) fn new(width: f64) -> Self {
        Self {
            title: String::new(),
            description: String::new(),
            width,
            height: 0.0,
            marks: Vec::new(),
            notes: BTreeMap::new(),
        }
    }

    pub(super) fn line(&mut self, path: Vec<Place>, color: RGBColor, width: f64) {
        self.marks.push(Mark::Line { path, color, width });
    }

    /// A line of dashes and gaps of the given lengths.
    pub(super) fn dashed(&mut self, path: &[Place], color: RGBColor, width: f64, dash: &[f64]) {
        for piece in dashes(path, dash) {
            self.line(piece, color, width);
        }
    }

    pub(super) fn area(&mut self, outline: Vec<Place>, color: RGBAColor) {
        if outline.len() >= 3 {
            self.marks.push(Mark::Area { outline, color });
        }
    }

    pub(super) fn disc(&mut self, center: Place, radius: f64, color: RGBColor) {
        self.marks.push(Mark::Disc {
            center,
            radius,
            color,
        });
    }

    pub(super) fn text(&mut self, mut text: Text) {
        text.text = clean(&text.text);
        if !text.text.is_empty() {
            self.marks.push(Mark::Text(text));
        }
    }

    /// Adds a note to the mark that was drawn last.
    pub(super) fn note(&mut self, note: &str) {
        if let Some(last) = self.marks.len().checked_sub(1) {
            self.notes.insert(last, clean(note));
        }
    }

    fn check_size(&self) -> Result<()> {
        match self.width.max(self.height) <= LARGEST {
            true => Ok(()),
            false => super::refuse(format!(
                "it would be {:.0} by {:.0} pixels; show fewer lines or panels",
                self.width, self.height
            )),
        }
    }

    /// The figure as an SVG document.
    pub(super) fn to_svg(&self) -> Result<String> {
        self.check_size()?;
        let (width, height) = self.painted_size(SVG_SCALE);
        let mut body = String::new();
        {
            let mut backend = SVGBackend::with_string(&mut body, (width as u32, height as u32));
            Brush::svg().paint(self, &mut backend)?;
            backend.present().map_err(drawing_error)?;
        }
        Ok(self.finish_svg(&body, (width, height)))
    }

    /// What plotters leaves out: the size in CSS pixels, the accessible name, round joints, text without line breaks in it.
    fn finish_svg(&self, body: &str, (width, height): (usize, usize)) -> String {
        let (title, description) = (escape(&self.title), escape(&self.description));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{title}\" stroke-linejoin=\"round\" stroke-linecap=\"butt\">\n<title>{title}</title>\n",
            width / SVG_SCALE,
            height / SVG_SCALE,
        );
        if !description.is_empty() {
            svg.push_str(&format!("<desc>{description}</desc>\n"));
        }
        // The head of the document and the paper are no marks.
        let mut lines = body.lines().skip(1);
        svg.extend(
            lines
                .next()
                .map(|paper| format!("{}\n", paper.replace(" \"", "\""))),
        );
        let mut notes = self.notes_of_elements();
        while let Some(line) = lines.next() {
            let note = line
                .starts_with('<')
                .then(|| notes.next().flatten())
                .flatten();
            match line.starts_with("<text ") {
                // The baseline is where the text was put, not half an x below it.
                true => {
                    svg.push_str(&line.replacen(" dy=\"-0.5ex\"", "", 1));
                    svg.push_str(lines.next().unwrap_or_default());
                    svg.push_str(lines.next().unwrap_or_default());
                }
                false => svg.push_str(&noted(&line.replace(" \"", "\""), note)),
            }
            svg.push('\n');
        }
        svg
    }

    /// The note of each element that the backend writes: one for each mark, except for lines that have no length.
    fn notes_of_elements(&self) -> impl Iterator<Item = Option<&str>> {
        let brush = Brush::svg();
        let written = self
            .marks
            .iter()
            .enumerate()
            .filter(move |(_, mark)| match mark {
                Mark::Line { path, .. } => brush.path(path).len() > 1,
                _ => true,
            });
        written.map(|(i, _)| self.notes.get(&i).map(String::as_str))
    }

    /// The figure as a PNG image.
    pub(super) fn to_png(&self) -> Result<Vec<u8>> {
        self.check_size()?;
        let (width, height) = self.painted_size(PNG_SCALE * OVERSAMPLING);
        let mut pixels = vec![0; width * height * 3];
        {
            let mut backend =
                BitMapBackend::with_buffer(&mut pixels, (width as u32, height as u32));
            Brush::bitmap().paint(self, &mut backend)?;
            backend.present().map_err(drawing_error)?;
        }
        let (small, size) = (average(&pixels, width), (width, height));
        self.encode_png(&small, size)
            .map_err(|e| Error::Drawing(e.to_string()))
    }

    fn encode_png(
        &self,
        pixels: &[u8],
        painted: (usize, usize),
    ) -> std::result::Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let (width, height) = (painted.0 / OVERSAMPLING, painted.1 / OVERSAMPLING);
        let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // 96 CSS pixels are an inch.
        let per_meter = (PNG_SCALE as f64 * 96.0 / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: per_meter,
            yppu: per_meter,
            unit: png::Unit::Meter,
        }));
        encoder.add_itxt_chunk("Title".into(), self.title.clone())?;
        encoder.add_itxt_chunk("Description".into(), self.description.clone())?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    fn painted_size(&self, scale: usize) -> (usize, usize) {
        let whole = |length: f64| length.ceil() as usize * scale;
        (whole(self.width), whole(self.height))
    }
}

/// How a scene becomes the whole numbers of one backend.
struct Brush {
    scale: f64,
    family: &'static str,
    /// The size that plotters is given, for letters of one pixel an em.
    font_height: f64,
    /// From the baseline to where plotters wants a text anchored, for letters of one pixel an em.
    lift: f64,
    anchor: VPos,
}

impl Brush {
    fn svg() -> Self {
        Self {
            scale: SVG_SCALE as f64,
            family: SVG_FAMILY,
            font_height: SVG_FONT_HEIGHT,
            lift: 0.0,
            anchor: VPos::Bottom,
        }
    }

    fn bitmap() -> Self {
        Self {
            scale: (PNG_SCALE * OVERSAMPLING) as f64,
            family: FAMILY,
            font_height: FONT_HEIGHT,
            // plotters' rasteriser puts the baseline half the size of the font below the top of a text.
            lift: FONT_HEIGHT / 2.0,
            anchor: VPos::Top,
        }
    }

    fn paint<B: DrawingBackend>(&self, scene: &Scene, backend: &mut B) -> Result<()> {
        let (width, height) = backend.get_size();
        let corner = (width as i32, height as i32);
        backend
            .draw_rect((0, 0), corner, &PAPER, true)
            .map_err(drawing_error)?;
        scene
            .marks
            .iter()
            .try_for_each(|mark| self.mark(mark, backend))
    }

    fn mark<B: DrawingBackend>(&self, mark: &Mark, backend: &mut B) -> Result<()> {
        match mark {
            Mark::Line { path, color, width } => {
                let path = self.path(path);
                let style = color.stroke_width(self.length(*width).max(1));
                match path.len() {
                    0 | 1 => Ok(()),
                    _ => backend.draw_path(path, &style),
                }
            }
            Mark::Area { outline, color } => backend.fill_polygon(self.path(outline), color),
            Mark::Disc {
                center,
                radius,
                color,
            } => {
                let radius = self.length(*radius).max(1);
                backend.draw_circle(self.place(*center), radius, color, true)
            }
            Mark::Text(text) => return self.write(text, backend),
        }
        .map_err(drawing_error)
    }

    fn write<B: DrawingBackend>(&self, text: &Text, backend: &mut B) -> Result<()> {
        let weight = match text.bold {
            true => FontStyle::Bold,
            false => FontStyle::Normal,
        };
        let size = text.size * self.scale * self.font_height;
        let font = FontDesc::new(FontFamily::Name(self.family), size, weight);
        let style = TextStyle::from(font)
            .color(&text.color)
            .pos(Pos::new(text.align, self.anchor));
        let lift = self.lift * text.size;
        let (style, at) = match text.upright {
            true => (
                style.transform(FontTransform::Rotate270),
                (text.at.0 - lift, text.at.1),
            ),
            false => (style, (text.at.0, text.at.1 - lift)),
        };
        backend
            .draw_text(&text.text, &style, self.place(at))
            .map_err(drawing_error)
    }

    /// The path without points that fall on their predecessor, which plotters' rasteriser cannot take.
    fn path(&self, path: &[Place]) -> Vec<(i32, i32)> {
        let mut path: Vec<_> = path.iter().map(|p| self.place(*p)).collect();
        path.dedup();
        path
    }

    fn place(&self, (x, y): Place) -> (i32, i32) {
        let whole = |v: f64| (v.clamp(-LARGEST, LARGEST) * self.scale).round() as i32;
        (whole(x), whole(y))
    }

    fn length(&self, length: f64) -> u32 {
        (length * self.scale).round() as u32
    }
}

fn drawing_error(error: impl std::error::Error) -> Error {
    Error::Drawing(error.to_string())
}

/// Each pixel of the result is the mean of a square of painted ones.
fn average(pixels: &[u8], width: usize) -> Vec<u8> {
    let (row, n) = (width * 3, OVERSAMPLING);
    let mut small = Vec::with_capacity(pixels.len() / (n * n));
    for rows in pixels.chunks_exact(row * n) {
        for column in (0..row).step_by(3 * n) {
            for channel in 0..3 {
                let total: usize = (0..n * n)
                    .map(|i| usize::from(rows[i / n * row + column + i % n * 3 + channel]))
                    .sum();
                small.push(((total + n * n / 2) / (n * n)) as u8);
            }
        }
    }
    small
}

/// An element `<circle …/>` with its note as a `<title>` inside.
fn noted(element: &str, note: Option<&str>) -> String {
    match (note, element.strip_suffix("/>"), element.get(1..)) {
        (Some(note), Some(open), Some(rest)) => {
            let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
            format!("{open}><title>{}</title></{name}>", escape(note))
        }
        _ => element.to_owned(),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Cuts a path into dashes; the pattern runs on around corners.
fn dashes(path: &[Place], pattern: &[f64]) -> Vec<Vec<Place>> {
    let mut pieces = Vec::new();
    let (mut index, mut left) = (0, pattern.first().copied().unwrap_or(f64::INFINITY));
    let mut piece: Vec<Place> = path.first().copied().into_iter().collect();
    for corner in path.windows(2) {
        let ((x0, y0), (x1, y1)) = (corner[0], corner[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let t = done / length;
            let cut = (x0 + (x1 - x0) * t, y0 + (y1 - y0) * t);
            piece.push(cut);
            if index % 2 == 0 {
                pieces.push(std::mem::take(&mut piece));
            }
            piece = vec![cut];
            index += 1;
            left = pattern[index % pattern.len()];
        }
        left -= length - done;
        piece.push((x1, y1));
    }
    if index % 2 == 0 && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_run_on_around_corners() {
        let pieces = dashes(&[(0.0, 0.0), (5.0, 0.0), (5.0, 7.0)], &[3.0, 1.0]);
        assert_eq!(
            pieces,
            [
                vec![(0.0, 0.0), (3.0, 0.0)],
                vec![(4.0, 0.0), (5.0, 0.0), (5.0, 2.0)],
                vec![(5.0, 3.0), (5.0, 6.0)],
            ]
        );
    }

    #[test]
    fn averaging_keeps_flat_colours_and_mixes_edges() {
        let (width, n) = (2 * OVERSAMPLING, OVERSAMPLING);
        let mut pixels = vec![200; width * n * 3];
        // The right pixel: one of its three columns is black.
        for row in 0..n {
            for channel in 0..3 {
                pixels[(row * width + width - 1) * 3 + channel] = 0;
            }
        }
        assert_eq!(average(&pixels, width), [200, 200, 200, 133, 133, 133]);
    }
}
