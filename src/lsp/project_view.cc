#include "lsp/project_view.h"

#include <algorithm>

#include "base/text.h"
#include "project/files.h"
#include "transform/compile/table_names.h"

namespace biwa::lsp {

namespace {

constexpr std::chrono::seconds kAskEvery(10);
// For the first answer; later ones come when they come.
constexpr std::chrono::milliseconds kTablesAwaited(500);

bool IsDefinition(const std::string& file) {
    return file.starts_with("definitions/") && (file.ends_with(".sqlx") || file.ends_with(".js"));
}

bool IsInclude(const std::string& file) {
    return file.starts_with("includes/") && file.ends_with(".js");
}

// The files are sorted by path.
std::vector<DefinitionFile>::iterator PlaceOf(std::vector<DefinitionFile>& files,
                                              const std::string& path) {
    return std::lower_bound(
        files.begin(), files.end(), path,
        [](const DefinitionFile& file, const std::string& other) { return file.path < other; });
}

void PutText(std::vector<DefinitionFile>& files, const std::string& path, const std::string& text) {
    const auto place = PlaceOf(files, path);
    if (place != files.end() && place->path == path) {
        place->text = text;
    } else {
        files.insert(place, {path, text});
    }
}

}  // namespace

ProjectView::ProjectView(std::filesystem::path root, ProjectTools& tools)
    : root_(std::move(root)), tools_(tools) {
    // For the first question: where models go and what streams bring.
    Load();
    if (asked_.valid()) asked_.wait_for(kTablesAwaited);
}

void ProjectView::Put(const std::string& file, std::string text) {
    auto& definition = definitions_[file];
    if (definition.text == text && !definition.facts.made.empty()) return;
    definition.text = std::move(text);
    definition.facts = ReadDefinition(file, definition.text);
    is_indexed_ = false;
}

void ProjectView::SetText(const std::string& file, std::string text) {
    if (!IsValidUtf8(text)) return;
    if (IsDefinition(file)) Put(file, text);
    edited_.insert(file);
    unsaved_[file] = std::move(text);
}

void ProjectView::ForgetText(const std::string& file) {
    unsaved_.erase(file);
    LookAtFiles();
}

bool ProjectView::IsThere() const {
    std::error_code ignored;
    return unsaved_.contains("biwa.yaml") || std::filesystem::exists(root_ / "biwa.yaml", ignored);
}

void ProjectView::ReadDefinitions() {
    Problems problems;  // Load says them
    const ProjectFiles files(root_, unsaved_);
    const auto found = files.List("definitions", ProjectFiles::Depth::kTree, problems);
    std::erase_if(definitions_, [&](const auto& known) {
        return !std::binary_search(found.begin(), found.end(), known.first);
    });
    for (const auto& file : found) {
        if (!IsDefinition(file)) continue;
        if (auto text = files.Read(file, problems)) Put(file, std::move(*text));
    }
    is_indexed_ = false;
}

void ProjectView::Load() {
    auto loaded = tools_.Load(root_, unsaved_);
    problems_ = std::move(loaded.problems);
    is_folder_known_ = loaded.project != nullptr;
    edited_.clear();
    is_indexed_ = false;
    if (!loaded.project) return ReadDefinitions();
    project_ = std::move(loaded.project);
    std::set<std::string> there;
    for (const auto& file : project_->definitions) {
        if (!IsDefinition(file.path)) continue;
        there.insert(file.path);
        Put(file.path, file.text);
    }
    std::erase_if(definitions_, [&](const auto& known) { return !there.contains(known.first); });
    AskForTables();
}

void ProjectView::AskForTables() {
    TakeTables();
    const auto now = std::chrono::steady_clock::now();
    const bool is_asked_soon =
        asked_at_.time_since_epoch().count() != 0 && now - asked_at_ < kAskEvery;
    if (!project_ || is_asked_soon || asked_.valid()) return;
    asked_at_ = now;
    asked_ = std::async(std::launch::async,
                        [this, project = project_] { return tools_.Tables(*project); });
}

void ProjectView::TakeTables() const {
    if (!asked_.valid() || asked_.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        return;
    warehouse_ = asked_.get();
    is_indexed_ = false;
}

std::shared_ptr<const Project> ProjectView::ProjectNow() const {
    if (edited_.empty() && is_folder_known_) return project_;
    auto now = std::make_shared<Project>(*project_);
    if (!is_folder_known_) {
        std::erase_if(now->definitions,
                      [](const DefinitionFile& file) { return IsDefinition(file.path); });
        for (const auto& [file, definition] : definitions_)
            PutText(now->definitions, file, definition.text);
    }
    for (const auto& [file, text] : unsaved_) {
        if (IsDefinition(file)) PutText(now->definitions, file, text);
        if (IsInclude(file)) PutText(now->includes, file, text);
    }
    return now;
}

std::map<std::string, std::vector<FileProblem>> ProjectView::Check() {
    // On each key only the compiler looks at all files, and it has their texts.
    const bool are_texts = std::all_of(edited_.begin(), edited_.end(), [](const auto& file) {
        return IsDefinition(file) || IsInclude(file);
    });
    if (!is_folder_known_ || !are_texts) Load();
    auto problems = problems_;
    // With the settings that were good before, where those of now are not.
    if (project_) {
        auto compilation = tools_.Compile(*ProjectNow());
        graph_ = std::move(compilation.graph);
        problems.insert(problems.end(), std::make_move_iterator(compilation.errors.begin()),
                        std::make_move_iterator(compilation.errors.end()));
    }
    AskForTables();
    is_indexed_ = false;
    std::map<std::string, std::vector<FileProblem>> by_file;
    for (auto& problem : problems) {
        if (problem.location.file.empty()) problem.location.file = "biwa.yaml";
        by_file[problem.location.file].push_back(std::move(problem));
    }
    return by_file;
}

std::optional<std::string> ProjectView::Text(const std::string& file) const {
    if (const auto unsaved = unsaved_.find(file); unsaved != unsaved_.end()) return unsaved->second;
    if (const auto known = definitions_.find(file); known != definitions_.end())
        return known->second.text;
    Problems ignored;
    const ProjectFiles files(root_);
    return files.Exists(file) ? files.Read(file, ignored) : std::nullopt;
}

const DefinitionFacts* ProjectView::Facts(const std::string& file) const {
    const auto known = definitions_.find(file);
    return known == definitions_.end() ? nullptr : &known->second.facts;
}

// What the warehouse knows comes first; what definitions say of the same table is added to it.
void ProjectView::Add(KnownTable table) const {
    const auto [known, is_new] = tables_.emplace(table.name, table);
    if (is_new) {
        by_name_.emplace(table.name.name, table.name);
        return;
    }
    auto& mine = known->second;
    mine.type = table.type;
    mine.file = table.file;
    mine.span = table.span;
    mine.description = table.description;
    for (auto& column : table.columns) {
        const auto same =
            std::find_if(mine.columns.begin(), mine.columns.end(), [&](const ColumnFacts& other) {
                return SmallLetters(other.name) == SmallLetters(column.name);
            });
        if (same == mine.columns.end()) {
            mine.columns.push_back(std::move(column));
        } else if (!column.description.empty()) {
            same->description = std::move(column.description);
        }
    }
}

void ProjectView::Index() const {
    TakeTables();
    if (is_indexed_) return;
    is_indexed_ = true;
    tables_.clear();
    by_name_.clear();
    std::map<std::string, std::string> streams;  // dataset -> file
    if (project_) {
        for (const auto& [name, stream] : project_->streams)
            streams[stream.dataset] = stream.location.file;
    }
    const auto settings = project_ ? project_->models : ModelsConfig();
    const auto name_of = [&](const auto& made) {
        return TableName{!made.dataset.empty()      ? made.dataset
                         : made.type == "assertion" ? settings.assertion_dataset
                                                    : settings.default_dataset,
                         made.name};
    };
    // The warehouse has models with the project's suffix and prefix, definitions name them without.
    std::map<TableName, TableName> canonical;
    for (const auto& [file, definition] : definitions_) {
        for (const auto& made : definition.facts.made) {
            if (made.type == "declaration") continue;
            const auto name = name_of(made);
            canonical.emplace(transform::WithAffixes(name, settings), name);
        }
    }
    for (const auto& action : graph_.actions) canonical.emplace(action.target, action.canonical);
    for (const auto& table : warehouse_) {
        KnownTable known;
        const auto model = canonical.find(table.name);
        known.name = model == canonical.end() ? table.name : model->second;
        known.columns = table.columns;
        if (const auto stream = streams.find(table.name.dataset); stream != streams.end()) {
            known.type = "table of a stream";
            known.file = stream->second;
        }
        Add(std::move(known));
    }
    for (const auto& [file, definition] : definitions_) {
        for (const auto& made : definition.facts.made) {
            KnownTable known;
            known.name = name_of(made);
            known.type = made.type;
            known.description = made.description;
            known.columns = made.columns;
            known.file = file;
            known.span = made.span;
            Add(std::move(known));
        }
    }
    // Tables whose names JavaScript computes.
    for (const auto& action : graph_.actions) {
        if (action.parent || action.location.file.ends_with(".sqlx")) continue;
        // As definitions name it.
        if (tables_.contains(action.canonical)) continue;
        const auto text = Text(action.location.file);
        if (!text) continue;
        KnownTable known;
        known.name = action.canonical;
        known.type = ToString(action.type);
        known.description = action.description;
        known.file = action.location.file;
        const auto at =
            TextIndex(*text).OffsetOfPlace(action.location.line, action.location.column);
        known.span = {at, at};
        Add(std::move(known));
    }
}

std::optional<KnownTable> ProjectView::Find(const TableMention& mention) const {
    Index();
    if (mention.dataset.empty()) {
        const auto [begin, end] = by_name_.equal_range(mention.name);
        // The project's own before those of the warehouse.
        const KnownTable* found = nullptr;
        for (auto at = begin; at != end; ++at) {
            const auto& table = tables_.at(at->second);
            if (found == nullptr || (found->file.empty() && !table.file.empty())) found = &table;
        }
        return found == nullptr ? std::nullopt : std::optional(*found);
    }
    const TableName name{mention.dataset, mention.name};
    if (const auto known = tables_.find(name); known != tables_.end()) return known->second;
    if (!project_) return std::nullopt;
    for (const auto& [ignored, stream] : project_->streams) {
        if (stream.dataset != mention.dataset) continue;
        KnownTable table;
        table.name = name;
        table.type = "table of a stream";
        table.file = stream.location.file;
        return table;
    }
    return std::nullopt;
}

std::optional<KnownTable> ProjectView::MadeBy(const std::string& file) const {
    Index();
    for (const auto& [name, table] : tables_) {
        if (table.file == file) return table;
    }
    return std::nullopt;
}

std::vector<KnownTable> ProjectView::Tables() const {
    Index();
    std::vector<KnownTable> tables;
    for (const auto& [name, table] : tables_) tables.push_back(table);
    return tables;
}

bool ProjectView::IsAmbiguous(const std::string& name) const {
    Index();
    return by_name_.count(name) > 1;
}

std::vector<PlacedMention> ProjectView::MentionsOf(const TableName& table) const {
    std::vector<PlacedMention> mentions;
    for (const auto& [file, definition] : definitions_) {
        for (const auto& mention : definition.facts.mentions) {
            if (mention.name != table.name) continue;
            const auto found = Find(mention);
            if (found && found->name == table) mentions.push_back({file, mention.span});
        }
    }
    return mentions;
}

}  // namespace biwa::lsp
