# Le taux d'emploi d'une certification, région par région : URL=… CLE=… Rscript graphique.R CODE IMAGE.pdf
arguments <- commandArgs(trailingOnly = TRUE)
address <- paste0(
  Sys.getenv("URL"), "/api/inserjeunes/regionales.csv?items_par_page=1000000&code_certifications=", arguments[1]
)
# Codes are texts (a number would lose its zeros); "null" is what the threshold hides, empty what nobody knows.
frame <- read.csv(url(address, headers = c("x-api-key" = Sys.getenv("CLE"))),
                  sep = ";", colClasses = "character", fileEncoding = "UTF-8")
rate <- frame$taux_en_emploi_6_mois
shown <- frame[!rate %in% c("null", ""), ]
shown$rate <- as.integer(shown$taux_en_emploi_6_mois)
shown <- shown[order(shown$rate), ]

if (nrow(shown) == 0) {
  stop(arguments[1], " : ", nrow(frame), " lignes dans le millésime en vigueur, aucune n'a de taux ; rien n'est dessiné")
}
pdf(arguments[2], width = 8, height = 5)
par(mar = c(6, 12, 3, 1))
barplot(shown$rate, names.arg = shown$region, horiz = TRUE, las = 1, xlim = c(0, 100),
        main = paste("Certification", arguments[1]), xlab = "En emploi salarié 6 mois après la sortie, en %")
mtext(paste("Source : InserJeunes, DEPP et DARES, millésime", paste(unique(frame$millesime), collapse = ", ")),
      side = 1, line = 4, adj = 0, cex = 0.7)
invisible(dev.off())
cat(nrow(shown), "régions dessinées,", sum(rate == "null"), "masquées\n")
