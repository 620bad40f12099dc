//! Loops give the same results whoever runs them, and a loop never waits for an idle worker.

use archc_runtime::abi::ParallelFor;
use archc_runtime::threads::{Pool, parallel_for};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// A sum whose value depends on the order of additions inside a chunk, and on the borders of chunks.
fn partial_sums(pool: &Pool, count: i64, grain: i64) -> Vec<(i64, f32)> {
    let sums = Mutex::new(Vec::new());
    pool.run(count, grain, |begin, end| {
        let sum = (begin..end).map(|turn| 1.0 / (turn + 1) as f32).sum();
        sums.lock().unwrap().push((begin, sum));
    });
    let mut sums = sums.into_inner().unwrap();
    sums.sort_by_key(|(begin, _)| *begin);
    sums
}

#[test]
fn every_turn_runs_once() {
    let pool = Pool::new(4);
    for count in [0, 1, 2, 7, 64, 1000] {
        for grain in [1, 3, 64, 5000] {
            let turns: Vec<AtomicI64> = (0..count).map(|_| AtomicI64::new(0)).collect();
            pool.run(count, grain, |begin, end| {
                assert!(end - begin <= grain);
                (begin..end).for_each(|turn| {
                    turns[turn as usize].fetch_add(1, Ordering::Relaxed);
                });
            });
            assert!(turns.iter().all(|turn| turn.load(Ordering::Relaxed) == 1), "{count} by {grain}");
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let (one, two) = (Pool::new(1), Pool::new(2));
    assert_eq!(partial_sums(&one, 12_345, 100), partial_sums(&two, 12_345, 100));
}

#[test]
fn many_short_loops_in_a_row_lose_nothing() {
    let pool = Pool::new(2);
    let total = AtomicI64::new(0);
    for _ in 0..20_000 {
        pool.run(8, 1, |begin, end| {
            total.fetch_add(end - begin, Ordering::Relaxed);
        });
    }
    assert_eq!(total.into_inner(), 160_000);
}

#[test]
fn loops_inside_loops_and_from_other_threads_run_too() {
    let pool = Pool::new(2);
    let total = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                pool.run(10, 1, |_, _| {
                    pool.run(10, 2, |begin, end| {
                        total.fetch_add(end - begin, Ordering::Relaxed);
                    })
                });
            });
        }
    });
    assert_eq!(total.into_inner(), 300);
}

#[test]
fn the_compiled_form_is_the_one_of_the_contract() {
    let _: ParallelFor = parallel_for;
}
