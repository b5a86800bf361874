//! Bugs that were mended, each kept as the shortest story that shows it: most were found by `properties`.

use super::desk::{Desk, How};
use super::words::slot;
use crate::app::commit::Commit;
use crate::app::strategy::{OnConflict, Strategy};
use crate::app::versions;
use crate::core::address::Address;

const RICH: usize = 0;
const POOR: usize = 1;

const BUCKET: usize = 0;
const FIRST_OBJECT: usize = 1;
const SECOND_OBJECT: usize = 2;
const OTHER_BUCKET: usize = 3;
const PARAMETER: usize = 5;
const ROLE: usize = 7;
const MAPPING: usize = 8;
/// What the poor instance refuses, and what it silently forgets.
const GHOST: usize = 9;
const MIST: usize = 10;

/// `--service s3`, and a capture that sees no S3; `--service ssm,iam,sqs`, and one that sees no parameters.
const ONLY_S3: usize = 1;
const NO_S3: usize = 1;
const ONLY_SMALL: usize = 2;
const NO_PARAMETERS: usize = 2;
/// `--only '*/bucket/b1'`.
const ONLY_BUCKET: usize = 3;

/// `--except '*/object/o1'`.
const NOT_FIRST_OBJECT: usize = 4;

fn overwrite() -> How {
    How { strategy: Strategy::Overwrite, ..How::default() }
}

impl Desk {
    fn head_has(&self, number: usize) -> bool {
        self.records(self.head()).contains_key(&slot(number))
    }

    fn has(&self, stack: usize, number: usize) -> bool {
        self.stacks[stack].model.records().contains_key(&slot(number))
    }

    /// The rich instance's records in the head, taken and standing there.
    async fn with(numbers: &[usize]) -> Desk {
        let mut desk = Desk::new().await;
        numbers.iter().for_each(|number| desk.put(RICH, *number, 0));
        assert!(desk.commit(RICH, 0, 0).await.unwrap().unwrap().made);
        desk
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inject_of_a_selection_and_a_commit_delete_nothing() {
    let mut desk = Desk::with(&[BUCKET, PARAMETER]).await;
    for strategy in [Strategy::Deep, Strategy::Overwrite, Strategy::Basic, Strategy::AccountRegion] {
        desk.restart(POOR);
        desk.inject(POOR, 0, How { strategy, selector: ONLY_S3, ..How::default() }).await.unwrap().unwrap();
        assert!(desk.has(POOR, BUCKET) && !desk.has(POOR, PARAMETER));
        assert!(!desk.commit(POOR, 0, 0).await.unwrap().unwrap().made);
        assert!(desk.head_has(PARAMETER));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_commit_after_a_restart_lets_the_next_whole_one_delete_nothing() {
    let mut desk = Desk::with(&[PARAMETER]).await;
    desk.restart(RICH);
    desk.put(RICH, BUCKET, 0);
    assert!(desk.commit(RICH, ONLY_S3, 0).await.unwrap().unwrap().made);
    assert!(desk.commit(RICH, 0, 0).await.unwrap().is_none(), "whether the parameter was deleted nobody can tell");
    assert!(desk.head_has(PARAMETER) && desk.head_has(BUCKET));
    // Nor where it was hidden, nor by an inject of a selection.
    let mut desk = Desk::with(&[PARAMETER]).await;
    desk.restart(RICH);
    desk.put(RICH, ROLE, 0);
    assert!(desk.commit(RICH, 0, NO_PARAMETERS).await.unwrap().unwrap().made);
    assert!(desk.commit(RICH, 0, 0).await.unwrap().is_none());
    let mut desk = Desk::with(&[PARAMETER, BUCKET]).await;
    desk.restart(RICH);
    desk.inject(RICH, 0, How { selector: ONLY_S3, ..How::default() }).await.unwrap().unwrap();
    desk.commit(RICH, 0, 0).await.unwrap();
    assert!(desk.head_has(PARAMETER));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_selected_commit_left_out_is_still_deleted_by_the_next_whole_one() {
    let mut desk = Desk::with(&[PARAMETER, ROLE, BUCKET]).await;
    desk.delete(RICH, PARAMETER);
    assert!(!desk.commit(RICH, ONLY_S3, 0).await.unwrap().unwrap().made);
    assert!(desk.commit(RICH, 0, 0).await.unwrap().unwrap().made);
    assert!(!desk.head_has(PARAMETER));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inject_that_fails_in_any_step_is_rolled_back_even_where_it_deleted_all_marks() {
    for after in 0..4 {
        for done in [false, true] {
            let mut desk = Desk::with(&[BUCKET]).await;
            desk.restart(RICH);
            desk.put(RICH, PARAMETER, 0);
            desk.put(RICH, ROLE, 0);
            let failure = Some(super::model::Failure { after, done });
            // The plan deletes all that is there. That nothing is left of a failed inject, the desk checks itself.
            let went = desk.inject(RICH, 0, How { failure, ..overwrite() }).await.unwrap();
            assert_eq!(went.is_some(), after >= 3, "three steps");
            assert!(after >= 3 || desk.has(RICH, PARAMETER) && desk.has(RICH, ROLE));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inject_that_was_cut_off_is_rolled_back_by_the_next_command_even_where_it_deleted_all_marks() {
    let mut desk = Desk::with(&[BUCKET]).await;
    desk.restart(RICH);
    desk.put(RICH, PARAMETER, 0);
    desk.put(RICH, ROLE, 0);
    desk.stacks[RICH].model.die(true);
    let failure = Some(super::model::Failure { after: 2, done: false });
    desk.inject(RICH, 0, How { failure, ..overwrite() }).await.unwrap_err();
    assert!(desk.stacks[RICH].model.records().is_empty(), "it died between deleting and putting");
    desk.stacks[RICH].model.die(false);
    assert!(!desk.undo(RICH).await.unwrap(), "there is no inject to take back");
    assert!(desk.has(RICH, PARAMETER) && desk.has(RICH, ROLE));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_and_after_an_undo_the_instance_is_still_known() {
    for fails in [true, false] {
        let mut desk = Desk::with(&[PARAMETER]).await;
        desk.mate_commits(false, &[(PARAMETER, None), (BUCKET, Some(0))]);
        // The only record that tells the instance from another one is deleted and made again.
        let failure = fails.then_some(super::model::Failure { after: 1, done: false });
        assert_eq!(desk.pull(RICH, How { failure, ..How::default() }).await.unwrap(), !fails);
        assert_eq!(desk.undo(RICH).await.unwrap(), !fails);
        assert!(desk.has(RICH, PARAMETER) && !desk.has(RICH, BUCKET));
        desk.put(RICH, ROLE, 0);
        assert!(desk.commit(RICH, 0, 0).await.unwrap().is_some(), "refused: {fails}");
        assert!(desk.head_has(ROLE));
        assert_eq!(desk.head_has(PARAMETER), fails, "a teammate's deletion that was undone here stays one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_undo_could_not_put_back_is_no_deletion() {
    let mut desk = Desk::with(&[BUCKET, 1, PARAMETER]).await;
    desk.inject(RICH, 0, overwrite()).await.unwrap().unwrap();
    desk.mate_commits(false, &[(1, None)]);
    desk.inject(RICH, 2, overwrite()).await.unwrap().unwrap();
    assert!(!desk.has(RICH, 1));
    desk.stacks[RICH].model.refuse(Some(slot(1)));
    desk.undo_in_part(RICH).await;
    desk.stacks[RICH].model.refuse(None);
    assert!(!desk.has(RICH, 1));
    desk.put(RICH, ROLE, 0);
    assert!(desk.commit(RICH, 0, 0).await.unwrap().unwrap().made);
    assert!(desk.head_has(1), "the head never was without it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inject_that_is_asked_for_again_tries_again_what_was_lost_or_paused() {
    let mut desk = Desk::with(&[BUCKET, GHOST, MAPPING]).await;
    desk.stacks[RICH].model.restart();
    desk.stacks[RICH].model.refuse(Some(slot(GHOST)));
    let how = How { paused: true, ..How::default() };
    let done = desk.inject(RICH, 0, how).await.unwrap().unwrap();
    assert_eq!(done.lost.iter().map(|lost| lost.address.clone()).collect::<Vec<_>>(), [slot(GHOST).to_string()]);
    desk.stacks[RICH].model.refuse(None);
    let done = desk.inject(RICH, 0, How::default()).await.unwrap().unwrap();
    assert!(done.lost.is_empty(), "{done:?}");
    assert_eq!(desk.stacks[RICH].model.records(), desk.records(desk.head()), "switched on, and nothing missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_acts_and_is_missing_is_tried_again_too() {
    let mut desk = Desk::with(&[MAPPING]).await;
    desk.commit(POOR, ONLY_S3, 0).await.unwrap().unwrap();
    desk.inject(POOR, 0, How::default()).await.unwrap().unwrap();
    assert!(desk.has(POOR, MAPPING));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_holds_only_what_acts_is_known_after_an_inject() {
    let mut desk = Desk::with(&[MAPPING, GHOST]).await;
    desk.come_back(POOR).await.unwrap();
    // What was put in before it is known by its marks as well as what acts.
    let mut desk = Desk::with(&[MAPPING, PARAMETER]).await;
    desk.inject(POOR, 0, How::default()).await.unwrap().unwrap();
    desk.mate_commits(false, &[(PARAMETER, None)]);
    assert!(desk.pull(POOR, How { selector: ONLY_SMALL, ..How::default() }).await.unwrap());
    assert!(!desk.has(POOR, PARAMETER));
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_forgets_no_uncommitted_change_and_overwrite_after_it_overwrites() {
    let mut desk = Desk::with(&[PARAMETER]).await;
    desk.put(RICH, PARAMETER, 1);
    desk.inject(RICH, 0, How { strategy: Strategy::Basic, ..How::default() }).await.unwrap().unwrap();
    assert!(desk.commit(RICH, 0, 0).await.unwrap().unwrap().made);
    let mut desk = Desk::with(&[PARAMETER]).await;
    desk.put(POOR, PARAMETER, 1);
    desk.inject(POOR, 0, How { strategy: Strategy::Basic, ..How::default() }).await.unwrap().unwrap();
    desk.settle_down(POOR).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_basic_and_account_region_pass_over_does_not_come_back_to_the_team() {
    for strategy in [Strategy::Basic, Strategy::AccountRegion] {
        let mut desk = Desk::with(&[MIST, PARAMETER]).await;
        desk.mate_commits(false, &[(MIST, None)]);
        assert!(desk.pull(RICH, How { strategy, ..How::default() }).await.unwrap());
        assert!(desk.has(RICH, MIST));
        assert!(!desk.commit(RICH, 0, 0).await.unwrap().unwrap().made);
        assert!(!desk.head_has(MIST));
        // What the user makes of it now is the user's.
        desk.put(RICH, MIST, 1);
        desk.commit(RICH, 0, 0).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_limit_of_skips_proves_nothing() {
    let mut desk = Desk::with(&[BUCKET, PARAMETER]).await;
    let model = &desk.stacks[RICH].model;
    let elsewhere = |number: usize| ["self", "here", "sqs", "queue", &number.to_string()].map(str::to_owned).to_vec();
    // One more than can be named; which of them would have hidden the parameter, nobody knows any more.
    model.hide((0..=crate::limits::SKIPS).map(elsewhere).collect());
    model.delete(&slot(PARAMETER));
    assert!(!desk.commit_as_it_is(RICH).await.made);
    assert!(desk.head_has(PARAMETER));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stood_beside_the_selection_is_neither_undone_nor_left_out_of_the_next_commit() {
    for undoes in [true, false] {
        let mut desk = Desk::with(&[BUCKET]).await;
        desk.put(POOR, OTHER_BUCKET, 0);
        desk.inject(POOR, 0, How { selector: ONLY_BUCKET, ..How::default() }).await.unwrap().unwrap();
        if undoes {
            assert!(desk.undo(POOR).await.unwrap());
            assert!(desk.has(POOR, OTHER_BUCKET) && !desk.has(POOR, BUCKET));
        } else {
            assert!(desk.commit(POOR, 0, 0).await.unwrap().unwrap().made);
            assert!(desk.head_has(OTHER_BUCKET));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_instance_that_holds_something_else_is_refused() {
    let mut desk = Desk::with(&[BUCKET, 1, PARAMETER]).await;
    desk.restart(RICH);
    desk.put(RICH, ROLE, 0);
    assert!(desk.commit(RICH, 0, 0).await.unwrap().is_none());
    assert!(desk.commit(RICH, 0, NO_S3).await.unwrap().is_none());
    let how = How { on_conflict: OnConflict::Pod, ..How::default() };
    desk.inject(RICH, 0, how).await.unwrap().unwrap();
    desk.commit(RICH, 0, 0).await.unwrap().unwrap();
    let head: Vec<Address> = desk.records(desk.head()).into_keys().collect();
    assert_eq!(head, desk.stacks[RICH].model.records().into_keys().collect::<Vec<_>>());
    assert!(versions::local_head(&desk.app.store, "p").unwrap().is_some());
}

/// A parameter, then a bucket with two objects and a role beside it.
async fn two_versions() -> Desk {
    let mut desk = Desk::with(&[PARAMETER]).await;
    [BUCKET, FIRST_OBJECT, SECOND_OBJECT, ROLE].into_iter().for_each(|number| desk.put(RICH, number, 0));
    assert!(desk.commit(RICH, 0, 0).await.unwrap().unwrap().made);
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_stays_as_long_as_it_holds_what_was_not_selected() {
    let failing = Some(super::model::Failure { after: 1, done: false });
    for failure in [None, failing] {
        let mut desk = two_versions().await;
        let how = How { selector: NOT_FIRST_OBJECT, failure, ..overwrite() };
        let _ = desk.inject(RICH, 1, how).await;
        assert!(desk.has(RICH, BUCKET) && desk.has(RICH, FIRST_OBJECT));
        let _ = crate::app::undo::last_of(&desk.app, &desk.stacks[RICH].model, &crate::app::Events::nowhere()).await;
        desk.commit_as_it_is(RICH).await;
        assert!([BUCKET, FIRST_OBJECT, SECOND_OBJECT].into_iter().all(|number| desk.head_has(number)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_can_be_listed_as_lost_is_no_deletion_either() {
    let mut desk = two_versions().await;
    desk.inject(RICH, 1, overwrite()).await.unwrap().unwrap();
    desk.stacks[RICH].model.refuse(Some(slot(BUCKET)));
    desk.undo_in_part(RICH).await;
    desk.commit_as_it_is(RICH).await;
    assert!([BUCKET, FIRST_OBJECT, SECOND_OBJECT].into_iter().all(|number| desk.head_has(number)));
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_leaves_out_nothing_that_could_not_be_seen() {
    let mut desk = two_versions().await;
    desk.inject(RICH, 1, overwrite()).await.unwrap().unwrap();
    desk.stacks[RICH].model.hide(super::words::hidden(NO_S3));
    let request = Commit {
        pod: "p".into(),
        message: None,
        selection: Default::default(),
        strict: false,
        replace: true,
        redact: vec![],
    };
    let model = &desk.stacks[RICH].model;
    assert!(crate::app::commit::of(&desk.app, model, request, &crate::app::Events::nowhere()).await.unwrap().made);
    assert!(desk.head_has(BUCKET) && desk.head_has(FIRST_OBJECT) && !desk.head_has(ROLE));
}
