// Shows the OpenAPI document that this cell serves: every operation, what it takes and answers.

const make = (name, text, attributes = {}) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

const typeOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items) || "anything"}`;
  return schema.type ?? "anything";
};

const table = (heads, rows) => {
  const found = make("table");
  const head = found.createTHead().insertRow();
  for (const name of heads) head.append(make("th", name, { scope: "col" }));
  for (const row of rows) {
    const line = found.insertRow();
    for (const cell of row) line.append(make("td", cell));
  }
  return found;
};

const fieldsOf = (schema, schemas) => {
  const resolved = schema?.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
  const needed = new Set(resolved?.required ?? []);
  return Object.entries(resolved?.properties ?? {}).map(([name, field]) => [
    name, typeOf(field) + (needed.has(name) ? "" : ", optional"), field.description ?? "",
  ]);
};

const examplesOf = (content, examples) => Object.entries(content?.examples ?? {}).flatMap(([name, one]) => {
  const { value } = one.$ref ? examples[one.$ref.split("/").pop()] : one;
  const title = one.$ref ? "Example" : `Example: ${name}`;
  const text = JSON.stringify(value, null, 2);
  return [make("h4", title), make("pre", text, { tabindex: "0", role: "group", "aria-label": title })];
});

const show = (path, method, operation, { schemas, responses, examples }) => {
  const box = make("details");
  const line = make("summary");
  line.append(make("span", method.toUpperCase(), { class: "method" }), make("code", path), " ");
  line.append(make("span", operation["x-scope"], { class: "scope" }), ` ${operation.summary}`);
  box.append(line);
  if (operation.description) box.append(make("p", operation.description));
  if (operation.parameters) {
    const rows = operation.parameters.map((one) => [
      `${one.name} (${one.in})`, typeOf(one.schema) + (one.required ? "" : ", optional"),
      one.description ?? "",
    ]);
    box.append(make("h3", "Parameters"), table(["name", "type", "meaning"], rows));
  }
  const body = operation.requestBody?.content?.["application/json"];
  if (body) {
    box.append(make("h3", "Body"), table(["field", "type", "meaning"], fieldsOf(body.schema, schemas)));
    box.append(...examplesOf(body, examples));
  }
  const answer = Object.values(operation.responses["200"].content ?? {})[0];
  box.append(make("h3", `Answer: ${typeOf(answer?.schema)}`));
  box.append(table(["field", "type", "meaning"], fieldsOf(answer?.schema, schemas)));
  box.append(...examplesOf(answer, examples));
  const refusals = Object.entries(operation.responses).filter(([status]) => status !== "200");
  box.append(make("h3", "Errors"));
  box.append(table(["status", "codes"], refusals.map(([status, one]) => [
    status, (responses[one.$ref.split("/").pop()]["x-codes"] ?? []).join(", "),
  ])));
  return box;
};

const begin = async () => {
  const place = document.getElementById("operations");
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) throw new Error(`the document is not there: ${answer.status}`);
  const found = await answer.json();
  const sections = new Map();
  for (const [path, methods] of Object.entries(found.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!sections.has(tag)) {
        const section = make("section");
        section.append(make("h2", tag));
        sections.set(tag, section);
      }
      sections.get(tag).append(show(path, method, operation, found.components));
    }
  }
  place.replaceChildren(...sections.values());
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const box of place.querySelectorAll("details")) {
      box.hidden = !box.querySelector("summary").textContent.toLowerCase().includes(wanted);
    }
  });
};

begin().catch((error) => {
  document.getElementById("operations").replaceChildren(make("p", String(error), { role: "alert" }));
});
