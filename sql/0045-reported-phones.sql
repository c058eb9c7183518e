-- Another mobile that a report named after orders and ADT messages had named the one that is texted. Its texts wait until a
-- later message or a person decides.
ALTER TABLE patients ADD COLUMN reported_number text;
