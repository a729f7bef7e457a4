// The names that definitions may mean: the project's own actions, and tables from elsewhere.
//
// Definitions name actions canonically, without the project's suffix and prefix; what is found is
// the name that the action goes by in the warehouse.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/table.h"
#include "transform/compile/config.h"

namespace biwa::transform {

// With the project's suffix and prefix.
TableName WithAffixes(const TableName& canonical, const ModelsConfig& settings);

class TableNames {
  public:
    // `tables` are there besides the actions; in a dataset of `stream_datasets` any table may be
    // named, as a stream will bring it. The references must outlive it.
    TableNames(const std::set<TableName>& tables, const std::set<std::string>& stream_datasets,
               const ModelsConfig& settings);

    // Of an action that makes no table only its name is known: it can be waited for, not read.
    // `project` is empty where the project's own counts.
    void AddAction(const TableName& canonical, const std::string& project, bool makes_table);
    // A table that the project says is there.
    void AddDeclaration(const TableName& target, const std::string& project);

    // For reading.
    Parsed<TableName> FindTable(const TableReference& reference) const;
    // For waiting: any action, too.
    Parsed<TableName> FindDependency(const TableReference& reference) const;

  private:
    struct Known {
        TableName target;
        std::string project;
        bool makes_table = true;
    };
    const Known* FindKnown(const TableName& canonical, const std::string& project) const;
    Parsed<Known> Find(const TableReference& reference) const;
    tl::unexpected<Problem> Ambiguous(const TableReference& reference,
                                      const std::vector<TableName>& found) const;
    tl::unexpected<Problem> Missing(const TableReference& reference) const;

    // By canonical names. Actions and declarations.
    std::map<TableName, Known> known_;
    std::map<std::string, std::vector<TableName>, std::less<>> known_by_name_;
    const std::set<TableName>& tables_;
    const std::set<std::string>& stream_datasets_;
    const ModelsConfig& settings_;
};

}  // namespace biwa::transform
