//! The words of a target, as JSON: on the link, in `desired.json`, and in the records of instances.
//!
//! Configs are written as people write them, ids and names as their text. Whatever is read is made by the same
//! constructors as what is handed in, so a set that breaks a bound, and batches that contradict each other, are not
//! read. The version of a config is computed from it and written nowhere beside it; it is written alone where the
//! config is not there.

use std::collections::BTreeMap;

use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::document::Marker;
use crux_crdt::name::ServiceName;
use crux_crdt::record::{First, Pass, Stage};
use crux_crdt::service::{Config, SpecTag};
use crux_crdt::{Digest, Principal};
use crux_protocol::picket::{
    Assigned, Batch, Batches, Goal, Goals, Image, Order, OwnedRow, Placed,
};
use serde::{Deserialize, Serialize};

use crate::text;

/// How a [`Marker`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Marker", deny_unknown_fields)]
struct Document {
    grants_version: u64,
    generation: u64,
    #[serde(with = "text::one")]
    id: Digest,
}

/// How a [`Pass`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Pass", deny_unknown_fields)]
struct Fence {
    term: u64,
    #[serde(with = "text::one")]
    leader: Principal,
    pass: u64,
}

/// How a [`First`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "First", deny_unknown_fields)]
struct Begin {
    term: u64,
    #[serde(with = "short")]
    leader: [u8; 8],
    pass: u64,
}

/// For `#[serde(with)]`: the first eight bytes of a principal, as its text begins.
mod short {
    use data_encoding::HEXLOWER;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; 8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 8], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("expected 16 lower-case hex digits"))
    }
}

/// How an [`Order`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Order", deny_unknown_fields)]
struct Place {
    #[serde(with = "Document")]
    target: Marker,
    #[serde(with = "Fence")]
    pass: Pass,
}

/// For `#[serde(with)]`: an order, or none.
pub(crate) mod order {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Order, Place};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "Place")] Order);

    pub(crate) fn serialize<S: Serializer>(
        order: &Option<Order>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        order.map(Written).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Order>, D::Error> {
        let order = Option::<Written>::deserialize(deserializer)?;
        Ok(order.map(|Written(order)| order))
    }
}

/// For `#[serde(with)]`: batches as a list, the first assigned first.
pub(crate) mod batches {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Batch, Batches, Begin, First};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        #[serde(with = "Begin")]
        first: First,
        count: u16,
    }

    pub(crate) fn serialize<S: Serializer>(
        batches: &Batches,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let batches = batches.as_slice().iter();
        serializer.collect_seq(batches.map(|&Batch { first, count }| Written { first, count }))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Batches, D::Error> {
        let batches = Vec::<Written>::deserialize(deserializer)?.into_iter();
        let batches = batches.map(|Written { first, count }| Batch { first, count });
        Batches::new(batches.collect()).ok_or_else(|| D::Error::custom("impossible batches"))
    }
}

/// An image with the place of its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    blob: BlobId,
    #[serde(with = "text::one")]
    root: Root,
    size: u64,
    path: String,
}

impl Stored {
    /// Whether its place does not depend on where a process runs.
    pub(crate) fn is_absolute(&self) -> bool {
        self.path.starts_with('/')
    }
}

impl From<Image> for Stored {
    fn from(image: Image) -> Self {
        let Image { descriptor: Descriptor { blob, root, size }, path } = image;
        Self { blob, root, size, path }
    }
}

impl From<Stored> for Image {
    fn from(Stored { blob, root, size, path }: Stored) -> Self {
        Self { descriptor: Descriptor { blob, root, size }, path }
    }
}

/// How an [`Assigned`] is written: its config has the number of instances that its batches have.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    pub(crate) image: Stored,
    pub(crate) config: Config,
    #[serde(with = "batches")]
    batches: Batches,
}

impl From<&Assigned> for Assignment {
    fn from(assigned: &Assigned) -> Self {
        Self {
            image: assigned.image().clone().into(),
            config: assigned.config().clone(),
            batches: assigned.batches().clone(),
        }
    }
}

impl Assignment {
    /// None: the config cannot have so many instances, or the image has no certain place.
    pub(crate) fn into_assigned(self) -> Option<Assigned> {
        let Self { image, config, batches } = self;
        let is_fine = image.is_absolute() && config.count == batches.count();
        Assigned::new(&config, image.into(), batches).filter(|_| is_fine)
    }
}

/// For `#[serde(with)]`: a set of goals.
pub(crate) mod goals {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{
        Assignment, BTreeMap, Batches, Goal, Goals, Order, Place, ServiceName, SpecTag, batches,
        text,
    };

    #[derive(Serialize, Deserialize)]
    struct Written {
        #[serde(with = "Place")]
        order: Order,
        services: BTreeMap<ServiceName, One>,
    }

    #[derive(Serialize, Deserialize)]
    enum One {
        Run(Box<Assignment>),
        Had {
            #[serde(with = "text::one")]
            spec: SpecTag,
            #[serde(with = "batches")]
            batches: Batches,
        },
        Keep,
    }

    impl From<&Goal> for One {
        fn from(goal: &Goal) -> Self {
            match goal {
                Goal::Run(assigned) => Self::Run(Box::new((&**assigned).into())),
                Goal::Had { spec, batches } => Self::Had { spec: *spec, batches: batches.clone() },
                Goal::Keep => Self::Keep,
            }
        }
    }

    impl One {
        fn into_goal(self) -> Option<Goal> {
            Some(match self {
                Self::Run(assignment) => Goal::Run(Box::new(assignment.into_assigned()?)),
                Self::Had { spec, batches } => Goal::Had { spec, batches },
                Self::Keep => Goal::Keep,
            })
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        goals: &Goals,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let services = goals.services().iter().map(|(name, goal)| (name.clone(), goal.into()));
        let written = Written { order: goals.order(), services: services.collect() };
        written.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Goals, D::Error> {
        let Written { order, services } = Written::deserialize(deserializer)?;
        let goal = |(name, goal): (ServiceName, One)| Some((name, goal.into_goal()?));
        let services = services.into_iter().map(goal).collect::<Option<_>>();
        let services = services.ok_or_else(|| D::Error::custom("an impossible assignment"))?;
        Goals::new(order, services).map_err(D::Error::custom)
    }
}

/// For `#[serde(with)]`: the assignment of an instance, or none.
pub(crate) mod placed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Begin, First, Placed, SpecTag, text};

    #[derive(Serialize, Deserialize)]
    struct Written {
        #[serde(with = "text::one")]
        spec: SpecTag,
        #[serde(with = "Begin")]
        first: First,
    }

    pub(crate) fn serialize<S: Serializer>(
        placed: &Option<Placed>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        placed.map(|Placed { spec, first }| Written { spec, first }).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Placed>, D::Error> {
        let placed = Option::<Written>::deserialize(deserializer)?;
        Ok(placed.map(|Written { spec, first }| Placed { spec, first }))
    }
}

/// For `#[serde(with)]`: the rows of a report.
pub(crate) mod rows {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Begin, First, OwnedRow, ServiceName, SpecTag, Stage, stage, text};

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "OwnedRow")]
    struct Row {
        service: ServiceName,
        #[serde(with = "text::one")]
        spec: SpecTag,
        #[serde(with = "stage")]
        stage: Stage,
        #[serde(with = "Begin")]
        first: First,
        count: u16,
    }

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "Row")] OwnedRow);

    pub(crate) fn serialize<S: Serializer>(
        rows: &[OwnedRow],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rows.iter().cloned().map(Written))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<OwnedRow>, D::Error> {
        let rows = Vec::<Written>::deserialize(deserializer)?.into_iter();
        Ok(rows.map(|Written(row)| row).collect())
    }
}

/// For `#[serde(with)]`: a stage by its name.
mod stage {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Stage;

    const NAMES: [(&str, Stage); 7] = [
        ("starting", Stage::Starting),
        ("ready", Stage::Ready),
        ("done", Stage::Done),
        ("failed", Stage::Failed),
        ("wedged", Stage::Wedged),
        ("stopping", Stage::Stopping),
        ("blocked", Stage::Blocked),
    ];

    pub(super) fn serialize<S: Serializer>(
        stage: &Stage,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let name = NAMES.iter().find(|(_, known)| known == stage).map(|(name, _)| name);
        // No node reports of itself what it does not know.
        serializer.serialize_str(name.ok_or_else(|| S::Error::custom("a stage of a later build"))?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Stage, D::Error> {
        let name = String::deserialize(deserializer)?;
        let stage = NAMES.iter().find(|(known, _)| *known == name).map(|(_, stage)| *stage);
        stage.ok_or_else(|| D::Error::custom(format!("unknown stage `{name}`")))
    }
}

/// Values for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn pass(pass: u64) -> Pass {
        Pass { term: 3, leader: Principal([9; 32]), pass }
    }

    pub(crate) fn first(of: u64) -> First {
        pass(of).into()
    }

    pub(crate) fn order(generation: u64) -> Order {
        let target = Marker { grants_version: 1, generation, id: Digest([7; 32]) };
        Order { target, pass: pass(5) }
    }

    pub(crate) fn batches(all: &[(u64, u16)]) -> Batches {
        let batch = |(first, count): &(u64, u16)| Batch {
            first: super::testing::first(*first),
            count: *count,
        };
        Batches::new(all.iter().map(batch).collect()).unwrap()
    }

    pub(crate) fn assigned(name: &str, batches: Batches) -> Assigned {
        let blob = BlobId([7; 32]);
        let image = crux_crdt::service::Image::Blob(blob);
        let fields = crux_crdt::service::Fields::new(name.parse().unwrap(), image);
        let descriptor = Descriptor { blob, root: Root([8; 32]), size: 1234 };
        let image = Image { descriptor, path: "/data/blobs/07/07".to_owned() };
        Assigned::new(&fields.try_into().unwrap(), image, batches).unwrap()
    }

    pub(crate) fn goals() -> Goals {
        let api = assigned("api", batches(&[(1, 1), (2, 2)]));
        let had = Goal::Had { spec: api.spec(), batches: batches(&[(1, 1)]) };
        let all = [("api", Goal::Run(Box::new(api))), ("job", had), ("web", Goal::Keep)];
        let all = all.map(|(name, goal)| (name.parse().unwrap(), goal));
        Goals::new(order(4), all.into()).unwrap()
    }

    pub(crate) fn rows() -> Vec<OwnedRow> {
        let stages = [
            Stage::Starting,
            Stage::Ready,
            Stage::Done,
            Stage::Failed,
            Stage::Wedged,
            Stage::Stopping,
            Stage::Blocked,
        ];
        let row = |stage| OwnedRow {
            service: "web".parse().unwrap(),
            spec: SpecTag([1, 2, 3, 4, 5, 6, 7, 0xff]),
            stage,
            first: first(2),
            count: 3,
        };
        stages.map(row).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Message(#[serde(with = "goals")] Goals);

    fn read(value: &Value) -> Result<Goals, String> {
        let read = serde_json::from_value::<Message>(value.clone());
        read.map(|Message(goals)| goals).map_err(|err| err.to_string())
    }

    #[test]
    fn a_stage_that_nobody_here_knows_is_refused() {
        #[derive(Serialize, Deserialize)]
        struct Message(#[serde(with = "rows")] Vec<OwnedRow>);
        let value = serde_json::to_value(Message(testing::rows())).unwrap();
        let leader = &value[0]["first"]["leader"];
        assert_eq!(
            (leader, &value[0]["spec"]),
            (&json!("09".repeat(8)), &json!("01020304050607ff"))
        );
        let mut wrong = value.clone();
        wrong[0]["stage"] = json!("sleeping");
        let error = serde_json::from_value::<Message>(wrong).err().map(|err| err.to_string());
        assert_eq!(error.as_deref(), Some("unknown stage `sleeping`"));
        assert_eq!(serde_json::from_value::<Message>(value).unwrap().0, testing::rows());
    }

    #[test]
    fn goals_read_back_and_contradictions_are_not_read() {
        let value = serde_json::to_value(Message(testing::goals())).unwrap();
        assert_eq!(read(&value), Ok(testing::goals()));
        let pass = &value["order"]["pass"];
        assert_eq!((&pass["term"], &pass["pass"]), (&json!(3), &json!(5)));
        let api = "/services/api/Run";
        for (at, wrong, error) in [
            (format!("{api}/config/count"), json!(2), "an impossible assignment"),
            (format!("{api}/image/path"), json!("blobs/7"), "an impossible assignment"),
            (format!("{api}/config/name"), json!("web"), "the goal of api has the config of web"),
            (format!("{api}/batches"), json!([]), "impossible batches"),
            (format!("{api}/batches/0/count"), json!(0), "impossible batches"),
            (format!("{api}/config/period"), json!("1ns"), "write a whole number"),
            ("/services/job/Had/spec".to_owned(), json!("12"), ""),
            (format!("{api}/batches/0/first/leader"), json!("09"), "16 lower-case hex digits"),
            ("/order/target/id".to_owned(), json!("?"), ""),
        ] {
            let mut value = value.clone();
            *value.pointer_mut(&at).unwrap() = wrong;
            let found = read(&value).unwrap_err();
            assert!(found.contains(error), "{at}: {found}");
        }
        let mut value = value;
        let services = value["services"].as_object_mut().unwrap();
        services.extend((0..126).map(|number| (format!("s{number}"), json!("Keep"))));
        assert!(read(&value).unwrap_err().contains("129 services"));
    }
}
