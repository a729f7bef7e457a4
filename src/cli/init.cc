// biwa init [DIR]
#include <fmt/format.h>

#include <filesystem>

#include "cli/command.h"
#include "project/scaffold.h"

namespace biwa::cli {

void AddInit(Commands& commands) {
    const auto folder = std::make_shared<std::string>(".");
    auto* command = commands.Add("init", "Make a new project", [folder]() -> Result<int> {
        const auto root = std::filesystem::absolute(*folder).lexically_normal();
        const auto name = (root.has_filename() ? root : root.parent_path()).filename().string();
        BIWA_TRY(WriteProject(root, InitFiles(name)));
        Say(
            fmt::format("Made a project in {}. Next: describe a connection and a stream (or run "
                        "`biwa up postgres://user@host/database` in an empty folder), then "
                        "`biwa up`.",
                        root.string()));
        return kGood;
    });
    command->add_option("DIR", *folder, "Folder of the new project (default: this one)");
}

}  // namespace biwa::cli
