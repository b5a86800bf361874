//! Whatever two people do to their instances in whatever order: nothing is deleted for the team that nobody deleted, and
//! an inject can be taken back.
//!
//! A run takes some seconds. For a longer one: `PROPTEST_CASES=5000 cargo test --release --lib app::tests`.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::desk::{Desk, How};
use super::model::Failure;
use super::words::SLOTS;
use crate::app::strategy::{OnConflict, Strategy as Way};

#[derive(Debug, Clone)]
enum Action {
    Put(usize, usize, usize),
    Delete(usize, usize),
    Commit(usize, usize, usize),
    Inject(usize, usize, How),
    Undo(usize),
    Restart(usize),
    Mate(bool, Vec<(usize, Option<usize>)>),
    Pull(usize, How),
    ComeBack(usize),
    SettleDown(usize),
}

/// Actions, one a line where a failure prints them.
struct Story(Vec<Action>);

impl std::fmt::Debug for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|action| write!(f, "\n{}", format!("{action:?}").replace('\n', " ")))
    }
}

fn hows() -> impl Strategy<Value = How> {
    let ways = prop_oneof![
        3 => Just(Way::Deep), 2 => Just(Way::Overwrite), 1 => Just(Way::AccountRegion), 1 => Just(Way::Basic)
    ];
    let conflicts = prop_oneof![Just(OnConflict::Fail), Just(OnConflict::Pod), Just(OnConflict::Instance)];
    let mostly_none = |most: usize| prop_oneof![2 => Just(0), 1 => 0..most];
    let failures = proptest::option::weighted(0.2, (0usize..8, any::<bool>()));
    let failures = failures.prop_map(|failure| failure.map(|(after, done)| Failure { after, done }));
    (ways, conflicts, mostly_none(5), mostly_none(4), proptest::bool::weighted(0.2), failures).prop_map(
        |(strategy, on_conflict, selector, hidden, paused, failure)| How {
            strategy,
            on_conflict,
            selector,
            hidden,
            paused,
            failure,
        },
    )
}

fn actions() -> impl Strategy<Value = Action> {
    let stack = || 0usize..2;
    let edit = (0..SLOTS, proptest::option::weighted(0.7, 0usize..6));
    prop_oneof![
        8 => (stack(), 0..SLOTS, 0usize..6).prop_map(|(stack, slot, value)| Action::Put(stack, slot, value)),
        4 => (stack(), 0..SLOTS).prop_map(|(stack, slot)| Action::Delete(stack, slot)),
        5 => (stack(), prop_oneof![2 => Just(0), 1 => 0usize..5], prop_oneof![2 => Just(0), 1 => 0usize..4])
            .prop_map(|(stack, selector, hidden)| Action::Commit(stack, selector, hidden)),
        5 => (stack(), prop_oneof![2 => Just(0), 1 => 0usize..6], hows())
            .prop_map(|(stack, which, how)| Action::Inject(stack, which, how)),
        3 => stack().prop_map(Action::Undo),
        1 => stack().prop_map(Action::Restart),
        2 => (any::<bool>(), proptest::collection::vec(edit, 1..4)).prop_map(|(own, edits)| Action::Mate(own, edits)),
        2 => (stack(), hows()).prop_map(|(stack, how)| Action::Pull(stack, how)),
        1 => stack().prop_map(Action::ComeBack),
        1 => stack().prop_map(Action::SettleDown),
    ]
}

async fn play(actions: Vec<Action>) -> Result<(), TestCaseError> {
    let mut desk = Desk::new().await;
    for (number, action) in actions.into_iter().enumerate() {
        let said = format!("{number}: {action:?}");
        let done = match action {
            Action::Put(stack, slot, value) => {
                desk.put(stack, slot, value);
                Ok(())
            }
            Action::Delete(stack, slot) => {
                desk.delete(stack, slot);
                Ok(())
            }
            Action::Restart(stack) => {
                desk.restart(stack);
                Ok(())
            }
            Action::Mate(on_own, edits) => {
                desk.mate_commits(on_own, &edits);
                Ok(())
            }
            Action::Commit(stack, selector, hidden) => desk.commit(stack, selector, hidden).await.map(drop),
            Action::Inject(stack, which, how) => desk.inject(stack, which, how).await.map(drop),
            Action::Undo(stack) => desk.undo(stack).await.map(drop),
            Action::Pull(stack, how) => desk.pull(stack, how).await.map(drop),
            Action::ComeBack(stack) => desk.come_back(stack).await,
            Action::SettleDown(stack) => desk.settle_down(stack).await,
        };
        done.map_err(|error| TestCaseError::fail(format!("{said}: {}", error.chain())))?;
    }
    Ok(())
}

#[test]
fn nothing_is_lost_whatever_comes_after_what() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Deterministic seeds are proptest's: a failure is printed with its shrunk actions and kept as a regression test.
    let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 4000, ..cases(400) };
    proptest!(config, |(story in proptest::collection::vec(actions(), 1..24).prop_map(Story))| {
        runtime.block_on(play(story.0))?;
    });
}

/// So many cases, unless the environment says how many.
fn cases(cases: u32) -> ProptestConfig {
    match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(cases),
    }
}
