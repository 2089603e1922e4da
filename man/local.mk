dist_man_MANS += man/superd.8
