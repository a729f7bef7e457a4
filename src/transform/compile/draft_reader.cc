#include "transform/compile/draft_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "transform/compile/actions_yaml.h"

namespace biwa::transform {

namespace {

bool IsActionsYaml(const std::string& path) { return path.ends_with("/actions.yaml"); }

// "definitions/a/../b.sql" is "definitions/b.sql".
std::string Normal(const std::string& path) {
    std::vector<std::string> parts;
    for (const auto& part : Split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == ".." && !parts.empty()) {
            parts.pop_back();
        } else {
            parts.push_back(part);
        }
    }
    return Join(parts, "/");
}

}  // namespace

std::vector<std::unique_ptr<Draft>> DraftReader::Read() {
    for (const auto& file : input_.files) ReadFile(file);
    ReadMadeConfigs();
    return std::move(drafts_);
}

void DraftReader::ReadFile(const DefinitionFile& file) {
    if (IsActionsYaml(file.path)) return ReadActions(file);
    const bool is_script = file.path.ends_with(".js");
    if (!is_script && !file.path.ends_with(".sqlx")) return;
    auto draft = std::make_unique<Draft>(file);
    const auto read = is_script ? StartedSession().RunFile(file) : ReadSqlx(*draft);
    if (session_ != nullptr) TakeMadeActions(*draft);
    if (!read) {
        draft->problems.push_back(read.error());
        Report(*draft);
    } else if (!is_script) {
        drafts_.push_back(std::move(draft));
    }
}

Parsed<void> DraftReader::ReadSqlx(Draft& draft) {
    auto sqlx = LexSqlx(draft.file.text);
    if (!sqlx) return tl::unexpected(std::move(sqlx).error());
    draft.sqlx = std::move(*sqlx);
    const auto parts = ScriptedSqlx::Find(draft.sqlx);
    if (parts.config || !parts.js.empty() || !parts.placeholders.empty()) {
        auto script = ScriptedSqlx::Compile(StartedSession(), draft.file, parts);
        if (!script) return tl::unexpected(std::move(script).error());
        draft.script = std::move(*script);
    }
    if (!draft.sqlx.config) return {};
    const auto& block = *draft.sqlx.config;
    const auto object =
        parts.config ? draft.script->ReadConfig() : ParseExpression(block.text, block.offset);
    if (!object) return tl::unexpected(object.error());
    draft.config = ReadConfig(*object, input_.settings, draft.problems);
    return {};
}

void DraftReader::ReadActions(const DefinitionFile& file) {
    Draft whole(file);
    for (auto& config : ReadActionsYaml(file.text, input_.settings, whole.problems)) {
        auto draft = std::make_unique<Draft>(file, whole.lines);
        draft->config = std::move(config);
        const auto& name = draft->config.filename;
        if (!name.empty()) {
            const auto folder = file.path.substr(0, file.path.rfind('/') + 1);
            if (!ReadSql(Normal(folder + name), *draft)) continue;
        } else if (draft->config.type != DefinitionType::kDeclaration) {
            whole.problems.push_back(
                {draft->config.offset, "this action names no file: \"filename\" is missing"});
            continue;
        } else if (draft->config.name.empty()) {
            whole.problems.push_back({draft->config.offset, "a declaration needs a name"});
            continue;
        }
        drafts_.push_back(std::move(draft));
    }
    Report(whole);
}

// A file of SQL without placeholders.
bool DraftReader::ReadSql(const std::string& path, Draft& draft) {
    const auto found = std::find_if(input_.files.begin(), input_.files.end(),
                                    [&](const DefinitionFile& file) { return file.path == path; });
    const auto refuse = [&](std::string message) {
        errors_.push_back({draft.Locate(draft.config.offset), std::move(message)});
        return false;
    };
    if (path.ends_with(".sqlx"))
        return refuse(
            fmt::format("{}: a .sqlx file is a definition of its own; only .sql files "
                        "are named in actions.yaml",
                        path));
    if (found == input_.files.end()) return refuse(fmt::format("there is no file {}", path));
    draft.sql_file = &*found;
    draft.sql_lines = std::make_shared<LineIndex>(found->text);
    if (!Trim(found->text).empty())
        draft.sqlx.statements = {{{SqlPart::Kind::kText, {0, found->text}}}};
    return true;
}

// What JavaScript has made since. A file may run another one by require().
void DraftReader::TakeMadeActions(const Draft& running) {
    for (; taken_ < session_->made().size(); ++taken_) {
        const auto& made = session_->made()[taken_];
        const auto file = std::find_if(
            input_.files.begin(), input_.files.end(),
            [&](const DefinitionFile& other) { return other.path == made.location.file; });
        const bool is_other = file != input_.files.end() && &*file != &running.file;
        auto draft = is_other ? std::make_unique<Draft>(*file)
                              : std::make_unique<Draft>(running.file, running.lines);
        draft->made = &made;
        draft->config.offset = draft->lines->Offset(made.location.line, made.location.column);
        drafts_.push_back(std::move(draft));
    }
}

// Late: until all files have run any of them may have changed what another one made.
void DraftReader::ReadMadeConfigs() {
    for (auto& draft : drafts_) {
        if (draft->made == nullptr) continue;
        const auto offset = draft->config.offset;
        const auto object = session_->ReadConfig(*draft->made, offset);
        if (object) {
            draft->config = ReadConfig(
                *object, input_.settings, draft->problems,
                draft->made->is_test ? DefinitionType::kTest : DefinitionType::kOperations);
            if (!draft->made->is_test) draft->origin = session_->ReadOrigin(*draft->made);
        } else {
            draft->problems.push_back(object.error());
        }
    }
}

// Started when first needed.
ScriptSession& DraftReader::StartedSession() {
    if (session_ == nullptr) {
        session_ = std::make_unique<ScriptSession>(input_);
        for (auto& problem : session_->TakeProblems())
            errors_.push_back({*problem.place, std::move(problem.message)});
    }
    return *session_;
}

void DraftReader::Report(const Draft& draft) {
    for (const auto& problem : draft.problems)
        errors_.push_back(
            {problem.place ? *problem.place : draft.Locate(problem.offset), problem.message});
}

}  // namespace biwa::transform
