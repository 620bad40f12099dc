//! Axes: named index sets, and the table that a compilation keeps of them.

/// An axis of one [`Axes`] table. [`BATCH`] is the first of every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AxisId(pub u32);

/// The axis of the rows (documents). It rides on all data and is never written.
pub const BATCH: AxisId = AxisId(0);

/// How many positions an axis has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Extent {
    /// A number known at compile time.
    Fixed(i64),
    /// The rows of a call.
    Batch,
    /// A sequence: each row has its own number of positions, up to the extent of the storage. Positions past a row's
    /// length do not exist: every reduction over a sequence stops there.
    Sequence,
    /// A sequence whose length follows from others: `sum of coefficient · |axis| + setting… + constant`.
    Computed {
        /// Lengths of other sequences and their factors.
        lengths: Vec<(AxisId, i64)>,
        /// Settings read at run time (of a `generate` block) and their factors.
        settings: Vec<(String, i64)>,
        /// A number.
        constant: i64,
    },
    /// Pieces of so many positions that cover the longest row of a sequence. All rows have all of them.
    Pieces {
        /// The sequence.
        of: AxisId,
        /// Positions in a piece; the last may have fewer.
        size: i64,
    },
}

/// One axis.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Its name in the source; several axes of one table may have the same (private axes of blocks).
    pub name: String,
    /// Its size.
    pub extent: Extent,
    /// The representative of all axes like it; itself, if it is the first.
    pub class: AxisId,
    /// The most positions that it may have in one call, where something sets a bound.
    pub most: Option<i64>,
}

/// All axes of one compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axes {
    all: Vec<Axis>,
}

impl Default for Axes {
    fn default() -> Axes {
        Axes { all: vec![Axis { name: "batch".into(), extent: Extent::Batch, class: BATCH, most: None }] }
    }
}

impl Axes {
    /// Adds an axis that is like no other.
    pub fn add(&mut self, name: impl Into<String>, extent: Extent) -> AxisId {
        let id = AxisId(self.all.len() as u32);
        self.all.push(Axis { name: name.into(), extent, class: id, most: None });
        id
    }

    /// Adds a second index over the positions of `model`.
    pub fn add_like(&mut self, name: impl Into<String>, model: AxisId) -> AxisId {
        let id = AxisId(self.all.len() as u32);
        let (extent, class) = (self[model].extent.clone(), self[model].class);
        self.all.push(Axis { name: name.into(), extent, class, most: None });
        id
    }

    /// Whether two axes are indices over the same positions.
    pub fn alike(&self, left: AxisId, right: AxisId) -> bool {
        self[left].class == self[right].class
    }

    /// The size, if it is known at compile time.
    pub fn fixed(&self, axis: AxisId) -> Option<i64> {
        match self[axis].extent {
            Extent::Fixed(size) => Some(size),
            _ => None,
        }
    }

    /// Whether each row has its own number of positions along it.
    pub fn is_sequence(&self, axis: AxisId) -> bool {
        matches!(self[axis].extent, Extent::Sequence | Extent::Computed { .. })
    }

    /// Each axis once, in storage order: batch, sequences, then the rest by first appearance.
    pub fn ordered(&self, axes: impl IntoIterator<Item = AxisId>) -> Vec<AxisId> {
        let mut once = Vec::new();
        for axis in axes {
            if !once.contains(&axis) {
                once.push(axis);
            }
        }
        once.sort_by_key(|axis| match *axis {
            BATCH => 0,
            axis if self.is_sequence(axis) => 1,
            _ => 2,
        });
        once
    }

    /// Makes an axis, with the name `alone`, unlike all those that it was like; they are now like a new axis of the
    /// name `rest`, which is returned.
    pub fn divide(&mut self, axis: AxisId, alone: &str, rest: &str) -> AxisId {
        let class = self[axis].class;
        let new = self.add(rest, self[axis].extent.clone());
        for (place, other) in self.all.iter_mut().enumerate() {
            if place == axis.0 as usize {
                *other = Axis { name: alone.into(), extent: other.extent.clone(), class: axis, most: None };
            } else if other.class == class {
                other.class = new;
            }
        }
        new
    }

    /// Allows an axis so many positions in one call, or as few as something else already does.
    pub fn limit(&mut self, axis: AxisId, most: i64) {
        let known = &mut self.all[axis.0 as usize].most;
        *known = Some(known.map_or(most, |known| known.min(most)));
    }

    /// All axes in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (AxisId, &Axis)> {
        self.all.iter().enumerate().map(|(index, axis)| (AxisId(index as u32), axis))
    }

    /// Changes the size of an axis and of all those like it.
    pub fn set_extent(&mut self, axis: AxisId, extent: Extent) {
        let class = self[axis].class;
        for other in &mut self.all {
            if other.class == class {
                other.extent = extent.clone();
            }
        }
    }
}

impl std::ops::Index<AxisId> for Axes {
    type Output = Axis;
    fn index(&self, axis: AxisId) -> &Axis {
        &self.all[axis.0 as usize]
    }
}
