# Writes the completions and man pages that `program` prints into `folder`: at installation, so that they know the very
# options of what is installed.
function(write_words file)
  execute_process(COMMAND ${program} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${folder}/${file} "${text}")
endfunction()

file(REMOVE_RECURSE ${folder})
write_words(completions/fusekit --completion bash)
write_words(completions/_fusekit --completion zsh)
write_words(completions/fusekit.fish --completion fish)
write_words(man/fusekit.1 --man-page fusekit)
file(READ ${folder}/man/fusekit.1 page)
string(REGEX MATCHALL "fusekit\\\\-[a-z]+" names "${page}")
foreach(name IN LISTS names)
  string(REPLACE "fusekit\\-" "" command ${name})
  write_words(man/fusekit-${command}.1 --man-page ${command})
endforeach()
