print_endline "hello"
