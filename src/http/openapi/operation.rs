//! What the description says of one call (OpenAPI 3.1, "Operation Object").

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schemas;

/// One call, as its route describes it. What all calls have in common is added where the document is written.
#[derive(Debug, Clone)]
pub struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    about: String,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    replies: Vec<Reply>,
    refusals: BTreeSet<u16>,
}

#[derive(Debug, Clone)]
struct Parameter {
    place: &'static str,
    name: &'static str,
    about: &'static str,
    is_required: bool,
    schema: Value,
}

#[derive(Debug, Clone)]
struct Body {
    schema: &'static str,
    is_required: bool,
}

#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    about: &'static str,
    content: Content,
    headers: Vec<&'static str>,
}

/// What a reply brings.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    None,
    /// JSON of the schema of this name.
    Json(&'static str),
    /// Text of this media type.
    Text(&'static str),
    /// A file, of one of these media types.
    File(&'static [&'static str]),
}

impl Operation {
    pub fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        let (about, body) = (String::new(), None);
        let (parameters, replies, refusals) = Default::default();
        Self { id, tag, summary, about, parameters, body, replies, refusals }
    }

    /// Further sentences.
    pub fn about(mut self, about: &'static str) -> Self {
        if !self.about.is_empty() {
            self.about.push(' ');
        }
        self.about.push_str(about);
        self
    }

    /// The path has `{service}`.
    pub fn of_service(self) -> Self {
        self.parameter("path", "service", "Name of the service.", true, schemas::reference("ServiceName"))
    }

    /// The path has `{service}` and `{id}`.
    pub fn of_instance(self) -> Self {
        let id = schemas::reference("InstanceId");
        self.of_service().parameter("path", "id", "Id of the instance.", true, id)
    }

    /// The path has the `{id}` of a subscription.
    pub fn of_subscription(self) -> Self {
        self.parameter("path", "id", "Id of the subscription.", true, schemas::reference("InstanceId"))
    }

    pub fn query(self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameter("query", name, about, false, schema)
    }

    pub fn required_query(self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameter("query", name, about, true, schema)
    }

    pub fn header(self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameter("header", name, about, false, schema)
    }

    fn parameter(
        mut self,
        place: &'static str,
        name: &'static str,
        about: &'static str,
        is_required: bool,
        schema: Value,
    ) -> Self {
        self.parameters.push(Parameter { place, name, about, is_required, schema });
        self
    }

    /// Takes a JSON body of the schema of this name.
    pub fn takes(mut self, schema: &'static str) -> Self {
        self.body = Some(Body { schema, is_required: true });
        self
    }

    /// The same for a body that may be left out.
    pub fn may_take(mut self, schema: &'static str) -> Self {
        self.body = Some(Body { schema, is_required: false });
        self
    }

    pub fn replies(mut self, status: u16, about: &'static str, content: Content) -> Self {
        self.replies.push(Reply { status, about, content, headers: Vec::new() });
        self
    }

    /// The reply that was described last has this header too.
    pub fn with_header(mut self, header: &'static str) -> Self {
        if let Some(reply) = self.replies.last_mut() {
            reply.headers.push(header);
        }
        self
    }

    /// Refuses with these statuses, beside those that its shape brings with it.
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    #[cfg(test)]
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// The variable segments that are described.
    #[cfg(test)]
    pub fn path_parameters(&self) -> Vec<&'static str> {
        self.parameters.iter().filter(|parameter| parameter.place == "path").map(|parameter| parameter.name).collect()
    }

    /// The Operation Object.
    pub fn into_object(mut self) -> Value {
        if self.parameters.iter().any(|parameter| parameter.place == "path") {
            self.refusals.insert(404);
        }
        if self.body.is_some() {
            self.refusals.extend([400, 408, 413, 415]);
        }
        let mut object = Map::new();
        let mut set = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        set("tags", json!([self.tag]));
        set("operationId", self.id.into());
        set("summary", self.summary.into());
        if !self.about.is_empty() {
            set("description", self.about.into());
        }
        if !self.parameters.is_empty() {
            set("parameters", self.parameters.into_iter().map(Parameter::into_object).collect());
        }
        if let Some(Body { schema, is_required }) = self.body {
            let content = json!({"application/json": {"schema": schemas::reference(schema)}});
            set("requestBody", json!({"required": is_required, "content": content}));
        }
        let replies = self.replies.into_iter().map(|reply| (reply.status.to_string(), reply.into_object()));
        let refusals = self.refusals.into_iter().map(|status| (status.to_string(), refusal(status)));
        set("responses", Value::Object(replies.chain(refusals).collect()));
        Value::Object(object)
    }
}

impl Parameter {
    fn into_object(self) -> Value {
        let Self { place, name, about, is_required, schema } = self;
        let is_list = schema["type"] == "array";
        let mut object = json!({"name": name, "in": place, "required": is_required, "description": about});
        if place == "query" && is_list {
            object["explode"] = true.into();
        }
        object["schema"] = schema;
        object
    }
}

impl Reply {
    fn into_object(self) -> Value {
        let mut headers = Map::from_iter([("Srvd-Revision".to_owned(), header("Revision"))]);
        headers.extend(self.headers.into_iter().map(|name| (name.to_owned(), header(name))));
        let mut object = json!({"description": self.about, "headers": headers});
        match self.content {
            Content::None => {}
            Content::Json(schema) => {
                object["content"] = json!({"application/json": {"schema": schemas::reference(schema)}});
            }
            Content::Text(kind) => object["content"] = json!({kind: {"schema": {"type": "string"}}}),
            Content::File(kinds) => {
                object["content"] =
                    kinds.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect::<Map<_, _>>().into()
            }
        }
        object
    }
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn refusal(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/{status}")})
}
