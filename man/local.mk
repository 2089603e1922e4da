dist_man_MANS += man/superd.conf.5
