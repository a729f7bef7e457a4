["answers", "users"].forEach((name) => declare({ schema: "app", name, description: "from the app" }));
