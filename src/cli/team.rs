//! `peapod team`.

use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;

use crate::app::Context;
use crate::app::team::{
    TeamCreate, TeamInvite, TeamJoin, TeamMembers, TeamOutcome, TeamRedact, TeamRemove, TeamRole, TeamSettle,
};
use crate::cli::args::{Consent, duration, named};
use crate::cli::session::{Page, Session};
use crate::cli::style::{plain, short, time};
use crate::core::reference::Reference;
use crate::core::roster::Role;
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start a team, with this node as its first admin
    Create {
        /// The team's name
        #[arg(value_name = "NAME", required_unless_present = "name")]
        team: Option<String>,
        /// The team's name, said the long way
        #[arg(long, value_name = "NAME", conflicts_with = "team")]
        name: Option<String>,
        #[command(flatten)]
        me: Me,
    },
    /// Print a ticket that admits one new member, once
    Invite {
        /// What the new member may do
        #[arg(long, value_name = "ROLE", default_value = "writer", value_parser = role())]
        role: Role,
        /// How long the ticket is good
        #[arg(long, value_name = "DURATION", default_value = "1day", value_parser = duration)]
        expires: Duration,
    },
    /// Join a team by a ticket
    Join {
        /// As `team invite` printed it
        ticket: String,
        #[command(flatten)]
        me: Me,
        /// How long to try to reach the inviter
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        timeout: Option<Duration>,
    },
    /// List the members
    Members,
    /// Change what a member may do
    Role {
        /// The member's name, or the first digits of its key
        member: String,
        /// What it may do from now on
        #[arg(value_parser = role())]
        role: Role,
    },
    /// Remove a member
    Remove {
        /// The member's name, or the first digits of its key
        member: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the rules for what everybody's commits keep out, or add one
    Redact {
        /// The rule: secrets, securestrings, env:NAME, dynamodb:TABLE:PATH or ADDRESS#PATH
        #[arg(required_if_eq("remove", "true"))]
        rule: Option<String>,
        /// Take the rule away
        #[arg(long)]
        remove: bool,
    },
    /// Say which head counts of a member who signed two with one number
    Settle {
        /// The member's name, or the first digits of its key
        member: String,
        /// The pod and the version of that head
        #[arg(value_name = "NAME@HASH")]
        head: Reference,
    },
}

#[derive(Debug, clap::Args)]
struct Me {
    /// This node's name in the team [default: your user name]
    #[arg(long = "as", value_name = "MEMBER")]
    member: Option<String>,
}

fn role() -> impl clap::builder::TypedValueParser<Value = Role> {
    named(&Role::NAMES.map(|(name, _)| name))
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<()> {
    let cx = Context::without_instance()?;
    let done = match args.action {
        Action::Create { team, name, me } => {
            let create = TeamCreate { team: team.or(name).unwrap_or_default(), member: me.member };
            session.run(cx, create).await?
        }
        Action::Invite { role, expires } => {
            let done = session.run(cx, TeamInvite { role, expires }).await?;
            return session.text(|page| {
                writeln!(page, "{}", done.ticket)?;
                let (role, team, end) = (done.role.to_string(), plain(&done.team), time(&done.expires));
                // Beside the answer, so that `$(peapod team invite)` is the ticket alone.
                let _ = writeln!(
                    io::stderr(),
                    "admits one {role} to {team}, once, until {end}: `peapod team join TICKET --as NAME`"
                );
                Ok(())
            });
        }
        Action::Join { ticket, me, timeout } => {
            session.run(cx, TeamJoin { ticket, member: me.member, timeout }).await?
        }
        Action::Members => session.run(cx, TeamMembers {}).await?,
        Action::Role { member, role } => session.run(cx, TeamRole { member, role }).await?,
        Action::Remove { member, consent } => {
            session.ask(&consent, &format!("remove {} from the team, for good?", plain(&member)))?;
            session.run(cx, TeamRemove { member }).await?
        }
        Action::Redact { rule, remove } => {
            let done = session.run(cx, TeamRedact { rule, remove }).await?;
            return session.text(|page| {
                if done.rules.is_empty() {
                    writeln!(page, "team {} withholds nothing", page.paint.bold(&plain(&done.team)))?;
                }
                done.rules.iter().try_for_each(|rule| writeln!(page, "{}", plain(rule)))
            });
        }
        Action::Settle { member, head } => session.run(cx, TeamSettle { member, head }).await?,
    };
    session.text(|page| members(page, &done))
}

fn members(page: &mut Page, team: &TeamOutcome) -> io::Result<()> {
    writeln!(page, "team {} {}", page.paint.bold(&plain(&team.team)), short(&team.id))?;
    let width = team.members.iter().map(|member| member.member.len()).max().unwrap_or(0);
    for member in &team.members {
        let role = member.role.map_or("removed".to_owned(), |role| role.to_string());
        let by = member.removed_by.as_deref().map(|admin| format!("  by {}", plain(admin))).unwrap_or_default();
        let own = if member.own { "  (this node)" } else { "" };
        writeln!(page, "  {:width$}  {role:7}  {}{by}{own}", plain(&member.member), short(&member.key))?;
    }
    for frozen in &team.frozen {
        let versions: Vec<String> = frozen.versions.iter().map(|version| short(version)).collect();
        let (who, pod) = (plain(&frozen.member), plain(&frozen.pod));
        writeln!(page, "  {who} signed two heads of {pod} with one number: {}", versions.join(", "))?;
    }
    Ok(())
}
