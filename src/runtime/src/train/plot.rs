//! Curves as a picture: the training loss as a thin line, the validation loss as points on a thick one.
//!
//! In: the metrics of this training and of others to compare with. Out: an SVG file.

use super::metrics::{Row, read};
use crate::error::{Error, Result};
use crate::files;
use plotters::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Pixels across and down.
const SIZE: (u32, u32) = (900, 540);
/// The share of the steps at the start that the picture may cut off above: losses fall by most of their height there.
const STEEP: f64 = 0.05;
/// The training loss is averaged over this share of its rows.
const SMOOTH: usize = 60;

/// What is drawn, and where.
#[derive(Debug, Clone)]
pub struct Plot {
    /// The file.
    pub path: PathBuf,
    /// Folders of other trainings.
    pub beside: Vec<PathBuf>,
}

struct Curve {
    name: String,
    training: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
}

impl Plot {
    /// Draws the metrics of one training beside those of the others.
    ///
    /// # Errors
    /// If metrics cannot be read or the picture not be written.
    pub fn draw(&self, metrics: &Path) -> Result<()> {
        let others = self.beside.iter().map(|folder| folder.join("metrics.csv"));
        let all = std::iter::once(metrics.to_owned()).chain(others);
        let curves = all.map(|path| Curve::read(&path)).collect::<Result<Vec<_>>>()?;
        files::replace(&self.path, |part| {
            let root = SVGBackend::new(part, SIZE).into_drawing_area();
            drawn(&root, &curves)
                .map_err(|cause| Error::environment(format!("cannot draw {}: {cause}", self.path.display())))
        })
    }
}

impl Curve {
    fn read(path: &Path) -> Result<Curve> {
        let rows = read(path)?;
        let folder = path.parent().and_then(Path::file_name).unwrap_or(path.as_os_str());
        let point = |row: &Row, loss: f64| (row.step as f64, loss);
        let validation = rows.iter().filter_map(|row| Some(point(row, row.validation?))).collect();
        let width = (rows.len() / SMOOTH).max(1);
        let mean = |rows: &[Row]| rows.iter().map(|row| row.loss).sum::<f64>() / rows.len() as f64;
        let training = rows.windows(width).map(|rows| point(&rows[width / 2], mean(rows))).collect();
        Ok(Curve { name: folder.to_string_lossy().into_owned(), training, validation })
    }

    /// The losses that have to be in the picture.
    fn heights(&self) -> impl Iterator<Item = f64> + '_ {
        let last = self.training.last().map_or(0.0, |(step, _)| *step);
        let flat = self.training.iter().filter(move |(step, _)| *step >= STEEP * last);
        flat.chain(&self.validation).map(|(_, loss)| *loss)
    }
}

type Drawn<'path> = std::result::Result<(), DrawingAreaErrorKind<<SVGBackend<'path> as DrawingBackend>::ErrorType>>;

fn drawn<'path>(root: &DrawingArea<SVGBackend<'path>, plotters::coord::Shift>, curves: &[Curve]) -> Drawn<'path> {
    root.fill(&WHITE)?;
    let last = curves.iter().flat_map(|curve| curve.training.last()).map(|(step, _)| *step).fold(1.0, f64::max);
    let height = heights(curves);
    let mut chart = ChartBuilder::on(root);
    chart.margin(16).x_label_area_size(40).y_label_area_size(56);
    let mut chart = chart.build_cartesian_2d(0.0..last, height.clone())?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("step").y_desc("loss (nats)").light_line_style(WHITE).label_style(("sans-serif", 14)).draw()?;
    for (place, curve) in curves.iter().enumerate() {
        let colour = Palette99::pick(place).to_rgba();
        let seen = |points: &[(f64, f64)]| {
            points.iter().copied().filter(|(_, loss)| height.contains(loss)).collect::<Vec<_>>()
        };
        chart.draw_series(LineSeries::new(seen(&curve.training), colour.mix(0.45).stroke_width(1)))?;
        let validation = seen(&curve.validation);
        let points = validation.iter().map(|point| Circle::new(*point, 3, colour.filled()));
        chart.draw_series(points)?;
        let line = chart.draw_series(LineSeries::new(validation, colour.stroke_width(2)))?;
        let last = curve.validation.last().map(|(_, loss)| format!(": {loss:.3} in validation")).unwrap_or_default();
        line.label(format!("{}{last}", curve.name));
        line.legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    let mut labels = chart.configure_series_labels();
    labels.background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.2)).label_font(("sans-serif", 14)).draw()?;
    root.present()
}

/// From the lowest loss to the highest after the steep start, with a margin.
fn heights(curves: &[Curve]) -> Range<f64> {
    let all = || curves.iter().flat_map(Curve::heights);
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return 0.0..1.0;
    }
    let margin = 0.04 * (high - low).max(0.01);
    low - margin..high + margin
}
