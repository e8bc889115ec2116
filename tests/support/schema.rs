//! The published JSON schemas, as far as they use the language: what they do not tell of is a mistake, too.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// One of the files in `schema/`.
pub struct Schema(Value);

impl Schema {
    pub fn read(name: &str) -> Schema {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
        Schema(serde_json::from_str(&fs::read_to_string(path).expect("the schema is there")).expect("a schema is JSON"))
    }

    /// What in a value is not as the schema says, with its place; the first thing.
    pub fn complaint(&self, value: &Value) -> Option<String> {
        self.check(&self.0, value, "$").err()
    }

    fn check(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let Some(rules) = schema.as_object() else { return Ok(()) };
        let wrong = |what: &str| Err(format!("{place}: {what}: {value}"));
        for (rule, said) in rules {
            let list = || said.as_array().expect("a list").iter();
            match rule.as_str() {
                "$ref" => {
                    let target = said.as_str().and_then(|to| to.strip_prefix('#')).expect("a place in the same file");
                    self.check(self.0.pointer(target).expect("what is referred to"), value, place)?;
                }
                "anyOf" if !list().any(|one| self.check(one, value, place).is_ok()) => return wrong("nothing fits"),
                "oneOf" if list().filter(|one| self.check(one, value, place).is_ok()).count() != 1 => {
                    return wrong("not one of those that it may be");
                }
                "const" if value != said => return wrong(&format!("not {said}")),
                "enum" if !list().any(|one| one == value) => return wrong("not one of the words"),
                "type" if !(said.is_array() && list().any(|one| is_a(one, value)) || is_a(said, value)) => {
                    return wrong(&format!("no {said}"));
                }
                "minimum" if value.as_f64() < said.as_f64() && value.is_number() => return wrong("too small"),
                "maximum" if value.as_f64() > said.as_f64() && value.is_number() => return wrong("too large"),
                "minItems" if value.as_array().is_some_and(|all| all.len() < count(said)) => return wrong("too few"),
                "maxItems" if value.as_array().is_some_and(|all| all.len() > count(said)) => return wrong("too many"),
                "required" => {
                    let lacking =
                        list().find(|&key| value.is_object() && value.get(key.as_str().expect("a key")).is_none());
                    lacking.map_or(Ok(()), |key| wrong(&format!("lacks {key}")))?;
                }
                "items" => {
                    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(said, item, &format!("{place}[{at}]"))?;
                    }
                }
                "properties" => {
                    for (key, item) in value.as_object().into_iter().flatten() {
                        match (said.get(key), rules.get("additionalProperties")) {
                            (Some(own), _) | (None, Some(own)) => self.check(own, item, &format!("{place}.{key}"))?,
                            (None, None) => return wrong(&format!("nothing is said of {key}")),
                        }
                    }
                }
                "additionalProperties" if !rules.contains_key("properties") => {
                    for (key, item) in value.as_object().into_iter().flatten() {
                        self.check(said, item, &format!("{place}.{key}"))?;
                    }
                }
                "anyOf"
                | "oneOf"
                | "const"
                | "enum"
                | "type"
                | "minimum"
                | "maximum"
                | "minItems"
                | "maxItems"
                | "additionalProperties"
                | "description"
                | "format"
                | "title"
                | "$schema"
                | "$defs" => {}
                unknown => panic!("{unknown} is not checked yet"),
            }
        }
        Ok(())
    }
}

fn count(said: &Value) -> usize {
    said.as_u64().expect("a number") as usize
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => false,
    }
}
