//! A call that is run again and again, as one request of the driver's.
//!
//! In: what [`super::run`] takes. A program whose launches depend on nothing but sizes and addresses launches the same each
//! time: numbers such as positions are in memory, where kernels read them. So what it launches on the same addresses for
//! the second time is recorded, and from then on asked for as a whole. Where a buffer has moved since, what was recorded is
//! forgotten, and all begins anew. A driver that cannot record is asked for each launch.

use super::{Driver, Shared, run};
use crate::abi::{DevicePlan, DeviceStep};
use crate::error::Result;

/// The most launches that are kept: more keep a GPU busy for longer than it takes to ask for them.
const MOST: usize = 1 << 14;

/// What calls of one program under the same sizes have launched.
#[derive(Debug, Default)]
pub struct Repeated {
    addresses: Vec<u64>,
    known: Known,
}

/// What is known of the launches on these addresses.
#[derive(Debug, Default)]
enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// They are the same each time, and this is what the program tells of its multiply-adds.
    Same(i64),
    /// They are recorded.
    Recorded(Recording, i64),
    /// They are made one by one.
    OneByOne,
}

impl Repeated {
    /// Runs a program as [`super::run`] does.
    ///
    /// # Errors
    /// As there.
    pub fn run(
        &mut self,
        (plan, program): (&DevicePlan, usize),
        addresses: &[u64],
        sizes: &[i64],
        driver: &Shared,
        watch: &mut dyn FnMut(i64, &mut dyn Driver) -> Result<bool>,
    ) -> Result<i64> {
        if self.addresses != addresses {
            *self = Repeated { addresses: addresses.to_vec(), known: Known::Nothing };
        }
        let mut one_by_one = |driver: &mut dyn Driver| run(plan, program, addresses, sizes, driver, watch);
        if let Known::Same(tally) = self.known {
            let recording = driver.lock()?.record(&mut |driver| one_by_one(driver).map(drop))?;
            self.known = match recording {
                Some(number) => Known::Recorded(Recording { driver: driver.clone(), number }, tally),
                None => Known::OneByOne,
            };
        }
        if let Known::Recorded(recording, tally) = &self.known {
            driver.lock()?.replay(recording.number)?;
            return Ok(*tally);
        }
        let done = one_by_one(&mut *driver.lock()?)?;
        if let Known::Nothing = self.known {
            let same = (2..=MOST).contains(&done.launches) && is_same(&plan.programs[program].steps);
            self.known = if same { Known::Same(done.tally) } else { Known::OneByOne };
        }
        Ok(done.tally)
    }
}

/// Whether steps do the same for the same sizes: they look at no memory, and ask nobody.
fn is_same(steps: &[DeviceStep]) -> bool {
    steps.iter().all(|step| match step {
        DeviceStep::Launch(_) | DeviceStep::Tally(_) | DeviceStep::Lookup { .. } => true,
        DeviceStep::Loop { body, .. } => is_same(body),
        DeviceStep::Switch { arms, .. } => arms.iter().all(|arm| is_same(arm)),
        DeviceStep::Count { .. } | DeviceStep::Ask { .. } => false,
    })
}

/// What a driver has recorded.
#[derive(Debug)]
struct Recording {
    driver: Shared,
    number: u64,
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Ok(mut driver) = self.driver.lock() {
            driver.erase(self.number);
        }
    }
}
