//! How the axes of parameters lie in a file tensor: strides from `as (h (k + k)) d`, and tensors that files hold cut.

use crate::model::declarations::{MappedPart, Model};
use crate::syntax::ast::Slot;
use crate::tensor::AxisId;

/// A parameter with some of its axes fixed.
#[derive(Debug, Clone)]
pub struct Part {
    parameter: usize,
    /// The axes that are left: which, size, stride in the parameter.
    axes: Vec<(AxisId, i64, i64)>,
}

/// The axes of a parameter: which, size, stride.
pub fn strided(model: &Model, parameter: usize) -> Vec<(AxisId, i64, i64)> {
    let axes = &model.parameters[parameter].axes;
    let shape = axes.iter().map(|axis| model.axes.fixed(*axis).unwrap_or(1)).collect::<Vec<_>>();
    axes.iter().zip(&shape).zip(strides(&shape)).map(|((axis, size), stride)| (*axis, *size, stride)).collect()
}

impl Part {
    /// A parameter with the given axes at their first place.
    pub fn new(model: &Model, parameter: usize, fixed: &[AxisId]) -> Part {
        let all = strided(model, parameter);
        Part { parameter, axes: all.into_iter().filter(|(axis, _, _)| !fixed.contains(axis)).collect() }
    }

    fn axis(&self, model: &Model, name: &str) -> Option<(AxisId, i64)> {
        let found = self.axes.iter().find(|(axis, _, _)| model.axes[*axis].name == name);
        found.map(|(axis, size, _)| (*axis, *size))
    }
}

/// Where a slot puts the axes of one part: its size, where the part starts, and the stride of each axis.
#[derive(Debug, Clone, Default)]
struct Placement {
    size: i64,
    offset: i64,
    strides: Vec<(AxisId, i64)>,
}

type Fault = (String, String);

/// The shape of a file tensor, and the boxes of parameters in it.
pub type Placed = (Vec<i64>, Vec<MappedPart>);

/// The shape of a file tensor, and the box of each part in it.
pub fn place(model: &Model, parts: &[Part], layout: Option<&[Slot]>) -> Result<(Vec<i64>, Vec<MappedPart>), Fault> {
    let Some(layout) = layout else { return plain(parts) };
    let places = (0..parts.len())
        .map(|part| layout.iter().map(|slot| place_slot(model, parts, slot, part)).collect::<Result<Vec<_>, _>>());
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let shape = places[0].iter().map(|placement| placement.size).collect::<Vec<_>>();
    let mut mapped = Vec::new();
    for (part, placements) in parts.iter().zip(&places) {
        let sizes = placements.iter().map(|placement| placement.size).collect::<Vec<_>>();
        if sizes != shape {
            return Err((format!("the parts give the shapes {shape:?} and {sizes:?}"), "one tensor has one".into()));
        }
        mapped.push(boxed(model, part, placements, &shape)?);
    }
    Ok((shape, mapped))
}

/// Without a layout: the one parameter's own axes in order.
fn plain(parts: &[Part]) -> Result<(Vec<i64>, Vec<MappedPart>), Fault> {
    let [part] = parts else {
        let help = "say where each lies: `as (h k + h k) d`";
        return Err((format!("{} parameters in one tensor without a layout", parts.len()), help.into()));
    };
    let shape = part.axes.iter().map(|(_, size, _)| *size).collect::<Vec<_>>();
    let mapped = MappedPart {
        parameter: part.parameter,
        extents: shape.clone(),
        source_offset: 0,
        source_strides: strides(&shape),
        target_offset: 0,
        target_strides: part.axes.iter().map(|(_, _, stride)| *stride).collect(),
    };
    Ok((shape, vec![mapped]))
}

fn boxed(model: &Model, part: &Part, placements: &[Placement], shape: &[i64]) -> Result<MappedPart, Fault> {
    let dimension = strides(shape);
    let mut source = Vec::with_capacity(part.axes.len());
    for (axis, _, _) in &part.axes {
        let found = placements.iter().zip(&dimension).find_map(|(placement, outer)| {
            let own = placement.strides.iter().find(|(known, _)| known == axis)?;
            Some(own.1 * outer)
        });
        let Some(stride) = found else {
            let path = &model.parameters[part.parameter].path;
            let name = &model.axes[*axis].name;
            return Err((
                format!("the layout leaves out the axis `{name}` of `{path}`"),
                "every axis lies somewhere".into(),
            ));
        };
        source.push(stride);
    }
    let offset = placements.iter().zip(&dimension).map(|(placement, outer)| placement.offset * outer).sum();
    Ok(MappedPart {
        parameter: part.parameter,
        extents: part.axes.iter().map(|(_, size, _)| *size).collect(),
        source_offset: offset,
        source_strides: source,
        target_offset: 0,
        target_strides: part.axes.iter().map(|(_, _, stride)| *stride).collect(),
    })
}

fn place_slot(model: &Model, parts: &[Part], slot: &Slot, part: usize) -> Result<Placement, Fault> {
    match slot {
        Slot::Number(size, _) if *size >= 1 => Ok(Placement { size: *size, ..Placement::default() }),
        Slot::Number(size, _) => Err((format!("a tensor has no axis of size {size}"), "in this layout".into())),
        Slot::Axis(name) => match parts[part].axis(model, &name.text) {
            Some((axis, size)) => Ok(Placement { size, offset: 0, strides: vec![(axis, 1)] }),
            None => {
                let path = &model.parameters[parts[part].parameter].path;
                let has = parts[part].axes.iter().map(|(axis, _, _)| model.axes[*axis].name.clone());
                let has = has.collect::<Vec<_>>().join(", ");
                Err((
                    format!("`{path}` has no axis `{}` left to lie there", name.text),
                    format!("its axes are [{has}]"),
                ))
            }
        },
        Slot::Joined(terms, _) if terms.len() == 1 => product(model, parts, &terms[0], part),
        Slot::Joined(terms, _) if terms.len() == parts.len() => {
            let mut sizes = Vec::with_capacity(terms.len());
            for (other, term) in terms.iter().enumerate() {
                sizes.push(product(model, parts, term, other)?.size);
            }
            let mut placement = product(model, parts, &terms[part], part)?;
            placement.offset += sizes[..part].iter().sum::<i64>();
            placement.size = sizes.iter().sum();
            Ok(placement)
        }
        Slot::Joined(terms, _) => {
            let message = format!("{} terms joined by `+` for {} parameters", terms.len(), parts.len());
            Err((message, "one term for each parameter on the left, in order".into()))
        }
    }
}

/// A product of slots, the last fastest.
fn product(model: &Model, parts: &[Part], slots: &[Slot], part: usize) -> Result<Placement, Fault> {
    let mut all = Placement { size: 1, ..Placement::default() };
    for slot in slots.iter().rev() {
        let own = place_slot(model, parts, slot, part)?;
        all.offset += own.offset * all.size;
        all.strides.extend(own.strides.iter().map(|(axis, stride)| (*axis, stride * all.size)));
        all.size *= own.size;
    }
    Ok(all)
}

fn strides(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for place in (1..shape.len()).rev() {
        strides[place - 1] = strides[place] * shape[place];
    }
    strides
}

/// A file tensor, cut along its first axis into equal pieces wherever its parts lie.
pub fn cut(shape: Vec<i64>, parts: Vec<MappedPart>, pieces: usize) -> Result<Vec<Placed>, Fault> {
    let count = pieces as i64;
    match shape.first() {
        _ if pieces == 1 => return Ok(vec![(shape, parts)]),
        Some(rows) if rows % count == 0 => {}
        _ => return Err((format!("{shape:?} is not cut into {pieces} equal pieces"), "along the first axis".into())),
    }
    let own = [&[shape[0] / count], &shape[1..]].concat();
    let elements = own.iter().product::<i64>();
    let mut cut = vec![(own, Vec::new()); pieces];
    let mut waiting = parts;
    while let Some(part) = waiting.pop() {
        let reach = part.source_strides.iter().zip(&part.extents).map(|(stride, extent)| stride * (extent - 1));
        let [first, last] = [part.source_offset, part.source_offset + reach.sum::<i64>()].map(|at| at / elements);
        if first == last {
            let source_offset = part.source_offset - first * elements;
            cut[first as usize].1.push(MappedPart { source_offset, ..part });
        } else {
            waiting.extend(slices(&part));
        }
    }
    Ok(cut)
}

/// A box as the slices of its outermost axis in the file.
fn slices(part: &MappedPart) -> impl Iterator<Item = MappedPart> + '_ {
    let wide = (0..part.extents.len()).filter(|axis| part.extents[*axis] > 1);
    let axis = wide.max_by_key(|axis| part.source_strides[*axis]).unwrap_or(0);
    (0..part.extents[axis]).map(move |at| {
        let mut slice = part.clone();
        slice.extents[axis] = 1;
        slice.source_offset += at * part.source_strides[axis];
        slice.target_offset += at * part.target_strides[axis];
        slice
    })
}
