//! Payloads of every type and version with fields changed at random: each is an error, or a value
//! that is written again and read as the same.

mod saved;

use redisai_codec::{Error, Field, Fields, VERSION};
use saved::VERSIONS;
use saved::samples::{KINDS, Kind, read, samples};

/// Mutated payloads for each type and version.
const COUNT: usize = 10_000;

/// SplitMix64: the same payloads at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn number(random: &mut Random, old: u64) -> u64 {
    match random.below(7) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old ^ 1 << random.below(64),
        3 => random.next() >> random.below(64),
        4 => random.below(10) as u64,
        5 => old.wrapping_neg(),
        _ => 0,
    }
}

fn string(random: &mut Random, mut old: Vec<u8>) -> Vec<u8> {
    let place = random.below(old.len() + 1);
    match random.below(6) {
        0 => old.truncate(place),
        1 => old.insert(place, random.next() as u8),
        2 => old.insert(place, 0),
        3 => old.extend_from_within(place..),
        4 if place < old.len() => old[place] = random.next() as u8,
        _ => old.clear(),
    }
    old
}

/// One change: of a field's content in most cases, else of the sequence.
fn mutate(random: &mut Random, fields: &mut Vec<Field>) {
    if fields.is_empty() {
        return;
    }
    let place = random.below(fields.len());
    match random.below(12) {
        0 => fields.truncate(place),
        1 => drop(fields.remove(place)),
        2 => fields.insert(place, fields[place].clone()),
        3 => {
            let other = random.below(fields.len());
            fields.swap(place, other);
        }
        4 => fields[place] = Field::Number(number(random, 0)),
        5 => fields[place] = Field::Bytes(string(random, b"ab\0".to_vec())),
        _ => {
            fields[place] = match &fields[place] {
                Field::Number(old) => Field::Number(number(random, *old)),
                Field::Bytes(old) => Field::Bytes(string(random, old.clone())),
            }
        }
    }
}

/// What became of the payloads.
#[derive(Debug, Default)]
struct Seen {
    /// Values: the decoder came to its end.
    values: usize,
    /// Of these, values that are not the sample's.
    changed: usize,
    /// Refused since fields were missing or of another kind.
    short: usize,
    /// Refused for what a field said.
    damaged: usize,
}

fn run(kind: Kind, version: i32) -> Seen {
    let samples = samples(kind, version);
    let mut random = Random(version as u64 * 3 + kind as u64);
    let mut seen = Seen::default();
    for _ in 0..COUNT {
        let sample = &samples[random.below(samples.len())];
        let mut fields = sample.clone();
        for _ in 0..=random.below(3) {
            mutate(&mut random, &mut fields);
        }
        let fields = Fields(fields);
        match read(kind, version, &mut fields.reader()) {
            Ok(written) => {
                let again = read(kind, VERSION, &mut written.reader());
                assert_eq!(
                    again.as_ref(),
                    Ok(&written),
                    "{kind:?} {version} {fields:?}"
                );
                seen.values += 1;
                let same = read(kind, version, &mut Fields(sample.clone()).reader());
                seen.changed += usize::from(same != Ok(written));
            }
            Err(Error::Short) => seen.short += 1,
            Err(Error::Damaged(_)) => seen.damaged += 1,
            Err(other) => panic!("{other:?} {kind:?} {version} {fields:?}"),
        }
    }
    seen
}

#[test]
fn every_type_and_version() {
    for kind in KINDS {
        for version in VERSIONS {
            let seen = run(kind, version);
            println!("{kind:?} {version}: {seen:?}");
            assert!(seen.values > COUNT / 20, "{kind:?} {version}: {seen:?}");
            assert!(seen.changed > COUNT / 50, "{kind:?} {version}: {seen:?}");
            assert!(seen.short > COUNT / 10, "{kind:?} {version}: {seen:?}");
            // A script has nothing that could be wrong but its length.
            let wrong = seen.damaged > COUNT / 50;
            assert!(
                wrong || kind == Kind::Script,
                "{kind:?} {version}: {seen:?}"
            );
        }
    }
}
