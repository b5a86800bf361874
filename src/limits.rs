//! Every bound on what comes from a peer, a file or an instance, in one place.
//!
//! A bound is checked before the memory it guards is allocated. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

/// How deep values may nest inside values.
pub const NESTING: usize = 64;

/// How many parts an address has at the most: account, region, service, kind, name, collection, item.
pub const ADDRESS_PARTS: usize = 7;
/// How few parts an address has: account, region, service, kind, name.
pub const ADDRESS_PARTS_MIN: usize = 5;
/// One part of an address. DynamoDB keys are the longest: 2,048 + 1,024 bytes, of which JSON may make six
/// times as many.
pub const ADDRESS_PART: usize = 20 * 1024;
/// A key part longer than this is cut and ends in its hash, so that a tree node always holds several entries.
pub const KEY_PART: usize = 256;

/// A record up to this size stands in its tree node; a larger one spills whole into a chunk of its own.
pub const RECORD_INLINE: usize = 2 * 1024;
/// A value up to this size stands in its record; a larger one is content.
pub const VALUE_INLINE: usize = 1024;
/// One record, spilled or not, its content not counted.
pub const RECORD: usize = 4 * 1024 * 1024;

/// Content is cut into chunks of at least this size (but for the last one).
pub const CHUNK_MIN: usize = 16 * 1024;
/// The size that content-defined cutting aims at. A power of two: fastcdc changed its cut points for others.
pub const CHUNK_AVERAGE: usize = 128 * 1024;
/// No chunk of content is larger.
pub const CHUNK_MAX: usize = 1024 * 1024;
/// The messages of one group of a FIFO queue, which stand in one record.
pub const SQS_GROUP: usize = RECORD - 64 * 1024;

/// Entries in one node of a chunk list.
pub const LIST_ENTRIES: usize = 512;
/// Levels of chunk lists: 512^4 chunks are far beyond what an S3 object can hold.
pub const LIST_LEVELS: u8 = 4;
/// One node of a chunk list: a name and a length for each entry.
pub const LIST: usize = 48 * LIST_ENTRIES;

/// The encoded size a tree node aims to stay above, where its level has enough entries.
pub const NODE_MIN: usize = 4 * 1024;
/// The encoded size at which a tree node is closed whatever its keys say.
pub const NODE_SOFT: usize = 16 * 1024;
/// No tree node is larger: [`NODE_SOFT`] and one entry of the largest legal size.
pub const NODE_MAX: usize = 32 * 1024;
/// Levels of a tree.
pub const TREE_DEPTH: u8 = 16;

/// Any object in the store: the largest is a spilled record.
pub const OBJECT: usize = RECORD;
/// One signed version. Its skip list is what makes it long.
pub const VERSION: usize = 256 * 1024;
/// Parents of one version.
pub const VERSION_PARENTS: usize = 64;
/// A commit message.
pub const MESSAGE: usize = 64 * 1024;
/// Skipped resources that a version names; the rest is counted in one last line.
pub const VERSION_SKIPPED: usize = 500;
/// A pod's, team's or member's name.
pub const NAME: usize = 100;

/// A pack is closed when its next chunk would take it over this size.
pub const PACK: usize = 16 * 1024 * 1024;
/// How long what `locate` told a peer stays where it is.
pub const PROMISE: Duration = Duration::from_secs(10 * 60);
/// How long gc and fsck wait for the commands that run.
pub const ALONE_WAIT: Duration = Duration::from_secs(60);
/// Memory of the chunk index's page cache.
pub const INDEX_CACHE: usize = 64 * 1024 * 1024;

/// Requests that a capture or an inject has open at one instance.
pub const INSTANCE_REQUESTS: usize = 32;
/// MiB of bodies that one process reads from instances at once; a larger body counts as [`INSTANCE_BODY`].
pub const INSTANCE_BODIES: u32 = 16;
/// MiB that a body takes on its way at most, however large it is.
pub const INSTANCE_BODY: u32 = 4;
/// One answer of an instance that is not an object's body. Larger ones are refused before they are read.
pub const INSTANCE_ANSWER: usize = 64 * 1024 * 1024;
/// How long an instance may take to accept a connection.
pub const INSTANCE_CONNECT: Duration = Duration::from_secs(5);
/// How long an instance may be silent in the middle of an answer.
pub const INSTANCE_SILENCE: Duration = Duration::from_secs(60);
/// Pages of one listing, so that an instance that repeats its last page ends.
pub const INSTANCE_PAGES: usize = 1_000_000;
/// How long an instance may take to make or change a function or an event source mapping before peapod goes on.
pub const FUNCTION_READY: Duration = Duration::from_secs(30);
/// How many unused numbers are given out and taken back to publish a layer version under the number it had.
pub const LAYER_GAP: i64 = 1000;
/// The same for a function's versions.
pub const FUNCTION_GAP: i64 = 100;
/// The longest line of a body made of lines, in bytes: a log event of 1 MiB and its escapes, a stream's record of 10 MiB
/// as base64.
pub const LINE: usize = 16 * 1024 * 1024;
/// How long a Kinesis stream may take to be made, changed or deleted.
pub const STREAM_READY: Duration = Duration::from_secs(60);
/// Numbers of a state machine's versions that a restore may have to skip, each by a version that is deleted again.
pub const STATE_MACHINE_GAP: u64 = 100;
/// How long a state machine may take to go away before one of the same name is made.
pub const STATE_MACHINE_GONE: Duration = Duration::from_secs(30);
/// How long a table may take until it can be used.
pub const TABLE_READY: Duration = Duration::from_secs(120);
/// Objects of which an inject remembers that it wrote them, so that the capture after it need not read them again.
pub const INSTANCE_WRITTEN: usize = 100_000;
/// How often a resource that changes under a capture is taken again before it is noted and left.
pub const RECAPTURES: usize = 3;

/// One message on the control socket. The largest is a document of a journey that has no rows: a plan, a list of pods.
pub const CONTROL_FRAME: usize = 256 * 1024 * 1024;
/// How long a caller at the control socket may take to say what it wants.
pub const CONTROL_HELLO: Duration = Duration::from_secs(10);
/// How long a command waits for another one on the same home.
pub const HOME_WAIT: Duration = Duration::from_secs(15 * 60);

/// One signed head: a pod's name, three hashes, a key, some numbers.
pub const HEAD: usize = 512;
/// One roster entry: the longest names the last heads of a removed member. With its signature it fits a gossip message.
pub const ROSTER_ENTRY: usize = 60 * 1024;
/// Last heads that one roster entry names.
pub const KEPT_HEADS: usize = 400;
/// One rule for withholding values.
pub const REDACT_RULE: usize = 1024;
/// Rules for withholding that one team or one command may have.
pub const REDACT_RULES: usize = 256;
/// Links with one number that a chain takes while the one that an admin has named is still missing.
pub const FORK_BRANCHES: usize = 4;
/// Pods in which one author's heads are kept.
pub const PODS_PER_AUTHOR: usize = 1_000;
/// Entries in one admin's chain.
pub const ROSTER_CHAIN: u64 = 100_000;
/// Links whose predecessor is not held yet, kept aside for when it comes.
pub const PARKED: usize = 1_024;
/// How many of them one author may take up.
pub const PARKED_PER_AUTHOR: usize = 64;

/// One gossip message.
pub const GOSSIP: usize = 64 * 1024;
/// One message of a conversation between two nodes.
pub const MESSAGE_SYNC: usize = 4 * 1024 * 1024;
/// Lines of one summary: as many as fit a message.
pub const SUMMARY_LINES: usize = 16 * 1024;
/// Ranges of links asked for in one message.
pub const WANTS: usize = 1_024;
/// Links given in one message.
pub const GIVE_LINKS: usize = 1_024;
/// Bytes of links given in one message.
pub const GIVE_BYTES: usize = 1024 * 1024;
/// How long one comparison may take, so that a peer that never comes to an end is left.
pub const COMPARE_TIME: Duration = Duration::from_secs(120);
/// How far one question reaches back along a chain whose branch is unknown.
pub const BACKTRACK: u64 = 256;
/// Objects asked for in one `locate`.
pub const LOCATE: usize = 16 * 1024;

/// One message of a stranger: a join request, or what answers it. Small, since anybody may send one.
pub const MESSAGE_JOIN: usize = 2 * 1024;
/// Words of a refusal.
pub const REFUSAL: usize = 500;
/// An invite's text.
pub const TICKET: usize = 4 * 1024;
/// Addresses in an invite.
pub const TICKET_ADDRESSES: usize = 16;
/// One address in an invite.
pub const TICKET_ADDRESS: usize = 200;
/// Invites that are open at one node.
pub const INVITES: usize = 64;

/// Control requests answered at one time; more are told to come back.
pub const CONTROL_REQUESTS: usize = 64;
/// Of those, what strangers may take.
pub const CONTROL_REQUESTS_STRANGER: usize = 8;
/// How long one control message may take to arrive, and an answer to be made.
pub const CONTROL_TIME: Duration = Duration::from_secs(30);
/// Range requests served at one time; more wait.
pub const BLOB_REQUESTS: usize = 32;
/// One blob that a peer offers ranges of: a pack and one object over it.
pub const BLOB: u64 = (PACK + OBJECT) as u64 * 2;
/// How long a peer may be silent in the middle of a transfer, and how long it may take to begin one.
pub const BLOB_SILENCE: Duration = Duration::from_secs(20);
/// Connections open at one time.
pub const CONNECTIONS: u32 = 512;
/// Connections of strangers open at one time.
pub const CONNECTIONS_STRANGER: usize = 32;
/// How long a stranger may stay connected: enough to join.
pub const STRANGER_STAY: Duration = Duration::from_secs(60);
/// Peers that are not connected whose addresses are remembered, and addresses remembered of each.
pub const PEERS_KNOWN: usize = 1024;
/// Addresses remembered of one peer.
pub const PEER_ADDRESSES: usize = 16;
/// What one capture could not read, line by line; beyond it an emulator is broken as a whole.
pub const SKIPS: usize = 10_000;
/// Accounts that one instance is looked at in.
pub const ACCOUNTS: usize = 64;
/// Creation dates and generated ids that peapod remembers of an instance to recognise it.
pub const MARKS: usize = 10_000;
/// Versions that one walk through a history reads.
pub const HISTORY: usize = 1_000_000;
/// How often a criss-cross of merges is followed down before a plain common ancestor has to do.
pub const CRISS_CROSS: usize = 16;
/// Conflicts that one error lists in full.
pub const CONFLICTS_SHOWN: usize = 10_000;
/// Conflicts that come with authors and attributes: each is looked for in the history.
pub const CONFLICTS_EXPLAINED: usize = 100;
/// Attributes shown of one conflict.
pub const CONFLICT_ATTRIBUTES: usize = 16;
/// Characters shown of one side's value of an attribute.
pub const CONFLICT_VALUE: usize = 200;
/// Records that an inject lists as not kept. One in unit tests, so that they meet the end of the list.
pub const LOST: usize = if cfg!(test) { 1 } else { 10_000 };
/// Injects that can be taken back, over all instances.
pub const UNDOS: usize = 20;

/// Bytes that one fetch has under way from all its peers.
pub const FETCH_IN_FLIGHT: u64 = 24 * 1024 * 1024;
/// Bytes that one request for ranges of a pack asks for, but for a single larger object.
pub const FETCH_REQUEST: u64 = 4 * 1024 * 1024;
/// Ranges of one request.
pub const FETCH_RANGES: usize = 512;
/// Requests that one fetch has under way at one peer.
pub const FETCH_REQUESTS: usize = 4;
/// Two objects of a pack with no more than this between them are fetched as one range: proofs would take as much.
pub const FETCH_GAP: u64 = 2 * 1024;
/// Objects that refer to others which one fetch wants at one time: each may bring hundreds of names.
pub const FETCH_INNER: usize = 1024;
/// Chunks that one fetch wants at one time.
pub const FETCH_CHUNKS: usize = 8 * 1024;
/// Objects asked for in one `locate` of a fetch. Small enough that several peers get their share.
pub const FETCH_LOCATE: usize = 2 * 1024;
/// Finished objects that a fetch remembers, so that what many refer to is walked once.
pub const FETCH_DONE: usize = 200_000;
/// Finished subtrees after which a fetch makes durable what it has.
pub const FETCH_MARKS: usize = 4 * 1024;
/// Bytes after which a fetch makes durable what it has.
pub const FETCH_DURABLE: u64 = 256 * 1024 * 1024;

/// One name in a directory that is an instance; file systems take no longer ones.
pub const FILE_NAME: usize = 255;
/// A path in such a directory.
pub const FILE_PATH: usize = 3 * 1024;
/// Names in one path there.
pub const FILE_DEPTH: usize = 64;

/// One row of a SQLite database: all its values together.
pub const SQLITE_ROW: u64 = 32 * 1024 * 1024;
/// Columns of one primary key; SQLite's own limit for an index.
pub const SQLITE_KEY: usize = 2000;
/// The statements of one database's schema together.
pub const SQLITE_SCHEMA: usize = 1024 * 1024;
/// How long another program may keep a database locked.
pub const SQLITE_BUSY: Duration = Duration::from_secs(10);
/// Rows of one run that wait for others to give up a value that must be unique.
pub const SQLITE_WAITING: usize = 10_000;
