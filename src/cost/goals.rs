//! What `kmem` is held to, on the workloads of this bench: a figure with a goal for each.

use super::figure::{Figure, Goal};
use super::{Call, Cost, LIVE, Order, against};

const HELD: &str = "kmem";
const PUBLISHED: &str = "kmem-2019";
/// Allocators that kernels use, and that `kmem` is to keep up with.
const PEERS: [&str; 4] = ["talc", "rlsf", "linked-list", "buddy-system"];

/// The figures that have a goal, as far as what they are about was measured: costs, and the largest
/// block that each subject grants after the mixed trace, in bytes.
#[must_use]
pub fn goals(rows: &[Cost], largest: &[(&'static str, u64)]) -> Vec<Figure> {
    let row = |subject: &str, call, order, live| {
        rows.iter().find(|row| {
            (row.subject, row.call, row.order, row.live) == (subject, call, order, live)
        })
    };
    let held = |call, order, live| row(HELD, call, order, live);
    let (few, many) = (LIVE[0], LIVE[LIVE.len() - 1]);
    let mut figures = Vec::new();
    let free = |live| held(Call::Free, Order::Random, live);
    if let (Some(many), Some(few)) = (free(many), free(few)) {
        let name = format!(
            "{HELD} free, random, {} live blocks : {}",
            many.live, few.live
        );
        figures.push(against(name, many, few).held_to(Goal::AtMost(2.0)));
    }
    let far_up = |subject| row(subject, Call::Alloc, Order::FarUp, many / 2);
    if let (Some(own), Some(published)) = (far_up(HELD), far_up(PUBLISHED)) {
        let name = format!("{HELD} alloc, far-up : {PUBLISHED}");
        figures.push(against(name, own, published).held_to(Goal::AtMost(1.0 / 50.0)));
    }
    let pair = |subject| row(subject, Call::Pair, Order::Mixed, 1_000);
    let fastest = PEERS.into_iter().filter_map(pair);
    let fastest = fastest.min_by(|a, b| a.mean().total_cmp(&b.mean()));
    if let (Some(own), Some(peer)) = (pair(HELD), fastest) {
        let name = format!(
            "{HELD} alloc+free, mixed : the fastest peer, {}",
            peer.subject
        );
        figures.push(against(name, own, peer).held_to(Goal::AtMost(2.0)));
    }
    let block = |subject| largest.iter().find(|(name, _)| *name == subject);
    let best = PEERS
        .into_iter()
        .filter_map(block)
        .max_by_key(|(_, bytes)| *bytes);
    if let (Some((_, own)), Some((peer, bytes))) = (block(HELD), best) {
        let name = format!("{HELD} largest block after the mixed trace : the best peer, {peer}");
        let figure = Figure::new(name, *own as f64, "bytes").against(*bytes as f64);
        figures.push(figure.held_to(Goal::AtLeast(1.0)));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &'static str, call: Call, order: Order, live: usize, total: u64) -> Cost {
        Cost {
            subject,
            call,
            live,
            order,
            calls: 1,
            refused: 0,
            median: Some(total),
            max: Some(total),
            total,
        }
    }

    fn told(figures: &[Figure]) -> Vec<(Option<f64>, Option<bool>)> {
        let told = figures.iter().map(|figure| (figure.ratio, figure.met));
        told.collect()
    }

    #[test]
    fn each_goal_is_set_against_what_it_names() {
        let pair = |subject, total| row(subject, Call::Pair, Order::Mixed, 1_000, total);
        let rows = [
            row("kmem", Call::Free, Order::Random, 10, 100),
            row("kmem", Call::Free, Order::Random, 10_000, 200),
            row("kmem", Call::Alloc, Order::FarUp, 5_000, 100),
            pair("kmem", 900),
            row("kmem-2019", Call::Alloc, Order::FarUp, 5_000, 4_000),
            pair("kmem-2019", 100),
            pair("talc", 300),
            pair("rlsf", 450),
        ];
        let largest = [("kmem", 90), ("talc", 80), ("linked-list", 100)];
        let expected = [
            (Some(2.0), Some(true)),
            (Some(0.025), Some(false)),
            (Some(3.0), Some(false)),
            (Some(0.9), Some(false)),
        ];
        assert_eq!(told(&goals(&rows, &largest)), expected);
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let rows = [row("talc", Call::Pair, Order::Mixed, 1_000, 300)];
        assert!(goals(&rows, &[("talc", 80)]).is_empty());
        let rows = [row("kmem", Call::Alloc, Order::FarUp, 5_000, 300)];
        assert!(goals(&rows, &[("kmem", 80)]).is_empty());
    }
}
