//! `kmem-rig bench cost`: what the calls of allocators cost, in instructions.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use harness::entry::Entry;

use crate::cli::options::{Format, GuestOptions, Named, examples};
use crate::cli::table::table;
use crate::cli::{Outcome, figures};
use crate::cost::figure::Figure;
use crate::cost::{self, Cost, LIVE, Order, Workload};
use crate::execute::host::Host;
use crate::subject::adapter;
use crate::subject::registry;

/// Ours, the published one, and controls of each kind.
const SUBJECTS: [&str; 9] = [
    "kmem",
    "kmem-sealed",
    "kmem-poisoned",
    "kmem-hardened",
    "kmem-2019",
    "talc",
    "rlsf",
    "linked-list",
    "buddy-system",
];

/// Instructions that allocs, frees and reallocs take, to the instruction the same each time
///
/// Counted in the guest, in heaps of 1,024 pages with 10 to 10,000 live blocks. Ratios are of
/// means, each subject's of its own, or of the first subject's to another's on the same trace. Last
/// come the figures that `kmem` has goals for. Takes about a minute.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig bench cost --subject kmem --subject talc"]))]
pub(super) struct Arguments {
    /// Measure this subject; may be given more than once [default: kmem and its hardened variants,
    /// kmem-2019, talc, rlsf, linked-list and buddy-system, as far as this binary knows them]
    #[arg(long, value_name = "S")]
    subject: Vec<Named>,
    #[command(flatten)]
    guest: GuestOptions,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut guest = self.guest.start_counted()?;
        let mut host = Host::new()?;
        let workloads = Workload::all(LIVE[LIVE.len() - 1]);
        let (mut rows, mut largest) = (Vec::new(), Vec::new());
        let subjects = self.subjects();
        adapter::check_own(subjects.iter().copied())?;
        for entry in subjects {
            for workload in &workloads {
                let measured = cost::measure(&mut guest, entry, workload)?;
                if self.format == Format::Json {
                    let measured: Vec<_> = measured.iter().flat_map(Cost::figures).collect();
                    figures::print(&measured, self.format)?;
                }
                rows.extend(measured);
                if workload.order == Order::Mixed {
                    let bytes = cost::largest_at_end(&mut host, entry, workload)?;
                    largest.push((entry.name(), bytes));
                }
            }
        }
        let mut ratios = cost::ratios(&rows);
        ratios.extend(cost::largest_figures(&largest));
        let goals = cost::goals(&rows, &largest);
        if self.format == Format::Json {
            figures::print(&ratios, self.format)?;
            figures::print(&goals, self.format)?;
            return Ok(figures::outcome(&goals));
        }
        let mut out = std::io::stdout().lock();
        let heading = [
            "SUBJECT", "OP", "LIVE", "ORDER", "MEDIAN", "MAX", "MEASURED", "REFUSED",
        ];
        let cells: Vec<_> = rows.iter().map(cells).collect();
        out.write_all(table(heading, &cells).as_bytes())?;
        writeln!(out)?;
        let cells: Vec<_> = ratios.iter().map(figure_cells).collect();
        out.write_all(table(["FIGURE", "VALUE", "UNIT", "RATIO"], &cells).as_bytes())?;
        drop(out);
        if !goals.is_empty() {
            println!();
            figures::print(&goals, self.format)?;
        }
        Ok(figures::outcome(&goals))
    }

    fn subjects(&self) -> Vec<&'static Entry> {
        if self.subject.is_empty() {
            // Whoever brings a list of subjects of their own may have left some of these out.
            let known = SUBJECTS.iter().filter_map(|s| registry::by_name(s).ok());
            return known.collect();
        }
        self.subject.iter().map(|named| named.0).collect()
    }
}

fn cells(row: &Cost) -> [String; 8] {
    [
        row.subject.to_owned(),
        row.call.name().to_owned(),
        row.live.to_string(),
        row.order.name().to_owned(),
        count(row.median),
        count(row.max),
        row.calls.to_string(),
        row.refused.to_string(),
    ]
}

fn count(value: Option<u64>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn figure_cells(figure: &Figure) -> [String; 4] {
    [
        figure.figure.clone(),
        format!("{:.0}", figure.value),
        figure.unit.to_owned(),
        figure.ratio.map_or("-".to_owned(), |r| format!("{r:.2}")),
    ]
}
