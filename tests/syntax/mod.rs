//! What the parser reads, and what it says about the rest.

mod reading;
