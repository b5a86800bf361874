//! Reading a long array in an answer element by element: as JSON in memory all of it would take many times its bytes.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::{Answer, ApiError};
use crate::error::{Error, Result};

/// Takes one element.
type Work<'w> = dyn FnMut(Json) -> Result<()> + Send + 'w;

impl Answer {
    /// Gives each element of the array `name` to `work`, and back the other fields.
    ///
    /// What `work` fails with ends the reading. An answer that breaks off or is no JSON object is an error, after those
    /// of its elements that could be read were given.
    pub(super) fn each(&self, name: &str, work: &mut Work<'_>) -> Result<Json> {
        let mut failure = None;
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let rest = Fields { name, work, failure: &mut failure }.deserialize(&mut reader);
        let rest = rest.and_then(|rest| reader.end().map(|()| rest));
        match (failure, rest) {
            (Some(error), _) => Err(error),
            (None, Ok(rest)) => Ok(rest),
            (None, Err(_)) => Err(ApiError::broken(&self.operation, "the answer is not the JSON it should be").into()),
        }
    }
}

struct Fields<'a, 'w> {
    name: &'a str,
    work: &'a mut Work<'w>,
    failure: &'a mut Option<Error>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_, '_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Json, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_, '_> {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Json, A::Error> {
        let mut rest = Map::new();
        while let Some(field) = fields.next_key::<String>()? {
            if field == self.name {
                fields.next_value_seed(Elements { work: &mut *self.work, failure: &mut *self.failure })?;
            } else {
                rest.insert(field, fields.next_value()?);
            }
        }
        Ok(Json::Object(rest))
    }
}

struct Elements<'a, 'w> {
    work: &'a mut Work<'w>,
    failure: &'a mut Option<Error>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array or null")
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> std::result::Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Json>()? {
            if let Err(error) = (self.work)(element) {
                *self.failure = Some(error);
                return Err(A::Error::custom("ended by its reader"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(body: &str) -> Answer {
        let body = body.to_owned().into();
        Answer { status: 200, headers: Default::default(), body, operation: "test".to_owned() }
    }

    #[test]
    fn elements_come_one_by_one_and_the_rest_is_given_back() {
        let mut seen = vec![];
        let mut work = |element| {
            seen.push(element);
            Ok(())
        };
        let rest =
            answer(r#"{"Count": 2, "Items": [{"a": 1}, 2], "Next": {"k": "v"}}"#).each("Items", &mut work).unwrap();
        assert_eq!(rest, json!({"Count": 2, "Next": {"k": "v"}}));
        let rest = answer(r#"{"Items": null}"#).each("Items", &mut work).unwrap();
        assert_eq!((rest, seen), (json!({}), vec![json!({"a": 1}), json!(2)]));
    }

    #[test]
    fn a_failure_ends_it_and_what_is_broken_is_said() {
        let mut seen = 0;
        let mut work = |_| {
            seen += 1;
            if seen == 2 { Err(Error::denied("full")) } else { Ok(()) }
        };
        let error = answer(r#"{"Items": [1, 2, 3]}"#).each("Items", &mut work).unwrap_err();
        assert_eq!((error.kind(), seen), (crate::error::Kind::Denied, 2));
        for broken in ["", "[]", r#"{"Items": [1"#, r#"{"Items": 7}"#, r#"{"Items": [1]} x"#] {
            assert!(answer(broken).each("Items", &mut |_| Ok(())).is_err(), "{broken}");
        }
    }
}
