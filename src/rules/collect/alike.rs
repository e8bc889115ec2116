//! Findings of several clients or servers that are one story.

use super::Group;
use crate::time::Span;
use hashbrown::HashMap;
use std::hash::Hash;

/// Joins groups of which `about` says the same and, where there is a limit, that begin within so long after the first of them: `join` gets these, the
/// earliest first, and gives back what stands for them. A group of which `about` says nothing stays as it is.
pub(super) fn join_alike<A: Eq + Hash>(
    groups: &mut Vec<Group>,
    about: impl Fn(&Group) -> Option<A>,
    within: Option<Span>,
    join: impl Fn(Vec<Group>) -> Vec<Group>,
) {
    let (mut told, others): (Vec<Group>, Vec<Group>) = groups.drain(..).partition(|group| about(group).is_some());
    told.sort_by_key(|group| (group.finding.at, group.finding.frames.first().copied()));
    let mut alike: Vec<Vec<Group>> = Vec::new();
    let mut latest: HashMap<Option<A>, usize> = HashMap::new();
    for group in told {
        let place = latest.entry(about(&group)).or_insert(alike.len());
        let in_time = |first: &Group| within.is_none_or(|within| group.finding.at.since(first.finding.at) <= within);
        match alike.get_mut(*place).filter(|known| known.first().is_some_and(in_time)) {
            Some(known) => known.push(group),
            None => {
                *place = alike.len();
                alike.push(vec![group]);
            }
        }
    }
    groups.extend(others);
    groups.extend(alike.into_iter().flat_map(join));
    groups.sort_by(|one, other| one.finding.key.cmp(&other.finding.key)); // as they were
}
