// One project as an editor has it: its files with what is not saved, the tables that they make and
// name, and what is wrong with them. Used by one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lsp/definition_file.h"
#include "lsp/diagnostics.h"
#include "lsp/project_tools.h"

namespace biwa::lsp {

struct KnownTable {
    TableName name;
    std::string type;  // "table", "view", … or "table of a stream"; empty: only in the warehouse
    std::string description;
    std::vector<ColumnFacts> columns;
    std::string file;  // empty: none
    Span span;         // in the file
};

// Where a table is named.
struct PlacedMention {
    std::string file;
    Span span;
};

class ProjectView {
  public:
    // The tools must outlive it.
    ProjectView(std::filesystem::path root, ProjectTools& tools);

    const std::filesystem::path& root() const { return root_; }

    // An editor has a text that counts in place of the file's. Cheap: on every key.
    void SetText(const std::string& file, std::string text);
    // The file's counts again.
    void ForgetText(const std::string& file);

    // Reads the files, loads and compiles. What is wrong with each; files that are good are absent.
    std::map<std::string, std::vector<PlacedMessage>> Check();

    // The text of a project file, and what a definition file says.
    std::optional<std::string> Text(const std::string& file) const;
    const DefinitionFacts* Facts(const std::string& file) const;

    std::optional<KnownTable> Find(const TableMention& mention) const;
    // Of a definition file: the first that it makes.
    std::optional<KnownTable> MadeBy(const std::string& file) const;
    std::vector<KnownTable> Tables() const;
    // Those with more than one table of that name need the dataset.
    bool IsAmbiguous(const std::string& name) const;
    std::vector<PlacedMention> MentionsOf(const TableName& table) const;

  private:
    struct Definition {
        std::string text;
        DefinitionFacts facts;
    };

    void ReadDefinitions();
    void Put(const std::string& file, std::string text);
    void AskForTables();
    void Index() const;
    void Add(KnownTable table) const;

    const std::filesystem::path root_;
    ProjectTools& tools_;
    UnsavedTexts unsaved_;
    std::map<std::string, Definition> definitions_;
    // The last that was good.
    std::shared_ptr<const Project> project_;
    std::shared_ptr<const transform::CompiledGraph> graph_;
    std::vector<TableFacts> warehouse_;
    std::chrono::steady_clock::time_point asked_at_{};

    // Made of the above when it is asked for.
    mutable bool is_indexed_ = false;
    mutable std::map<TableName, KnownTable> tables_;
    mutable std::multimap<std::string, TableName> by_name_;
};

}  // namespace biwa::lsp
