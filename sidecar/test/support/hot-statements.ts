import * as deletions from '../../images/io/deleted-rows.ts';
import { SAVE_DICOM_STUDIES, SAVE_IMAGES, SAVE_SERIES, SAVE_TAGS } from '../../images/io/feed-rows.ts';
import * as said from '../../images/io/said-rows.ts';
import { BEGIN, ENDED_ONE, MARK_MIRRORED } from '../../images/io/image-rows.ts';
import { DICOM_STUDIES_AFTER, IMAGES_AFTER, UNKNOWN_INSTANCES } from '../../images/io/sweep-rows.ts';
import { ADD_LABEL_JOBS, LOAD_LABEL_FACTS } from '../../linking/io/label-rows.ts';
import * as decisions from '../../linking/io/decision-rows.ts';
import * as links from '../../linking/io/link-rows.ts';
import { LOAD_RELEASE_FACTS } from '../../release/io/release-rows.ts';
import { LOOK_UP } from '../../ris/io/known-rows.ts';
import { LET_TEXT_STAND, LOAD_REPORT_PATIENTS, SAVE_REPORT } from '../../ris/io/report-rows.ts';
import { SAVE_FACTS } from '../../ris/io/save-rows.ts';
import { STUDIES_TEXTING } from '../../texts/io/receipt-rows.ts';
import {
  BEGIN_SENDING,
  LOAD_SMS_SUBJECTS,
  LOCK_SMS,
  MARK_ATTENTION,
  MARK_SENT,
  SAVE_SMS_PLAN,
} from '../../texts/io/text-rows.ts';

// Two indexes each, one as good as the other.
const STUDY_BY_ID = /^dicom_studies_(pkey|id_study_id_key)$/;
const REPORTS_OF_STUDY = /^reports_study_id_/;

/** The statements that run for every image, study, message or text, with the indexes they live by. */
export const HOT: Readonly<Record<string, readonly [sql: string, ...indexes: readonly (string | RegExp)[]]>> = {
  'the study of an image is kept': [SAVE_DICOM_STUDIES, 'dicom_studies_study_instance_uid_key'],
  'its tags are kept': [SAVE_TAGS, 'dicom_study_tags_pkey', 'dicom_studies_study_instance_uid_key'],
  'its series is kept': [SAVE_SERIES, 'series_orthanc_id_key', 'dicom_studies_study_instance_uid_key'],
  'the image is kept': [SAVE_IMAGES, 'images_orthanc_id_key', 'series_orthanc_id_key'],
  'an image that comes again is looked up': [said.TAKE_AGAIN, 'images_orthanc_id_key', 'series_pkey'],
  'what an image says is kept': [said.SAVE_SAID, 'dicom_study_tags_pkey'],
  'whether all of its study say it is told': [said.TELL_SAID, 'dicom_study_tags_pkey', 'series_orthanc_study'],
  'what is decided on is read': [links.LOAD_STUDIES, STUDY_BY_ID, 'seen_tags_study', 'dicom_study_tags_pkey'],
  'RIS studies are found by each rule': [
    links.LOAD_RIS_STUDIES,
    'studies_accession_key_key',
    'studies_announced_uid',
    'patients_ris_identity',
    'patients_birth_date',
    'studies_patient_date',
    'patients_merged_into',
    'patient_facts_patient',
    /study_facts_(withdrawn|accession)/,
  ],
  'a study of its own is made': [decisions.MAKE_OWN_STUDIES, STUDY_BY_ID, 'seen_tags_study', 'studies_dicom_own'],
  'it is kept up to date': [decisions.REFRESH_OWN_STUDIES, STUDY_BY_ID, 'studies_dicom_own'],
  'decisions are kept': [decisions.SAVE_DECISIONS, STUDY_BY_ID, 'studies_dicom_own', 'seen_tags_study'],
  'what an adopted study leaves is removed': [decisions.REMOVE_ABANDONED_STUDIES, STUDY_BY_ID, 'studies_dicom_own'],
  'what rests on an order is found': [
    links.STUDIES_RESTING_ON,
    'dicom_studies_candidates',
    'dicom_study_links_study',
    'seen_tags_accession',
    'dicom_studies_study_instance_uid_key',
    'seen_tags_patient',
    'seen_tags_birth_date',
    'patients_merged_into',
  ],
  'a study is to be labelled': [ADD_LABEL_JOBS, STUDY_BY_ID, 'dicom_study_links_study'],
  'its labels are decided': [
    LOAD_LABEL_FACTS,
    STUDY_BY_ID,
    'dicom_study_tags_study',
    'dicom_study_links_pkey',
    REPORTS_OF_STUDY,
  ],
  'what a message bears on is found': [
    LOOK_UP,
    'hl7_messages_sending_application_sending_facility_control_i_key',
    'patients_ris_identity',
    'patients_pkey',
    'patient_merges_prior',
    'patient_merges_survivor',
    'patient_facts_patient',
    'study_facts_patient',
    'study_facts_accession',
    'studies_accession_key_key',
    REPORTS_OF_STUDY,
  ],
  'what a message says is kept': [
    SAVE_FACTS,
    'hl7_messages_sending_application_sending_facility_control_i_key',
    'patients_pkey',
    'studies_pkey',
  ],
  'a report is kept': [SAVE_REPORT, REPORTS_OF_STUDY],
  'the text of a report stands': [LET_TEXT_STAND, REPORTS_OF_STUDY],
  'whom a report names is read': [
    LOAD_REPORT_PATIENTS,
    'studies_pkey',
    'patients_pkey',
    /^patient_facts_(pkey|patient)$/,
  ],
  'whether a text is due': [
    LOAD_SMS_SUBJECTS,
    'studies_pkey',
    'patients_pkey',
    'dicom_studies_candidates',
    'dicom_studies_kept_claims',
    'reports_message',
    'sms_studies_pkey',
    'sms_messages_pkey',
  ],
  'what a patient may see is read': [
    LOAD_RELEASE_FACTS,
    'studies_pkey',
    'patients_pkey',
    'dicom_studies_candidates',
    'dicom_study_links_study',
    REPORTS_OF_STUDY,
  ],
  'what a sent text needs is marked': [MARK_ATTENTION, 'sms_studies_pkey', 'sms_messages_pkey', REPORTS_OF_STUDY],
  'a text is planned': [SAVE_SMS_PLAN, 'sms_messages_study_id_kind_key'],
  'a text is taken up': [LOCK_SMS, 'sms_messages_pkey'],
  'a text is begun': [BEGIN_SENDING, 'sms_messages_pkey', 'sms_opt_outs_number'],
  'a text is sent': [MARK_SENT, /^sms_messages_(pkey|open)$/],
  'the texts to a number are found': [
    STUDIES_TEXTING,
    'patients_phone_number',
    'studies_patient_date',
    'sms_messages_study_id_kind_key',
  ],
  'a rendering begins': [BEGIN, 'images_pkey'],
  'a rendering ends': [ENDED_ONE, 'images_pkey'],
  'an image is mirrored': [MARK_MIRRORED, 'images_pkey'],
  'rows that are missing are found': [UNKNOWN_INSTANCES, 'images_orthanc_id_key'],
  'images are walked': [IMAGES_AFTER, 'images_orthanc_id_key'],
  'studies are walked': [DICOM_STUDIES_AFTER, STUDY_BY_ID],
  'what was modified is found': [deletions.ADD_LOOKS, 'images_orthanc_id_key', 'series_pkey'],
  'a deleted image is taken out': [deletions.MOVE_DELETED_IMAGES, 'images_orthanc_id_key', 'series_pkey', STUDY_BY_ID],
  'its series goes with its last image': [deletions.REMOVE_EMPTY_SERIES, 'series_dicom_study', 'images_series'],
  'its tags go': [deletions.REMOVE_EMPTY_TAGS, 'dicom_study_tags_study', 'series_orthanc_study'],
  'what only it said goes': [deletions.REMOVE_UNSAID, 'seen_tags_study', 'series_orthanc_study', 'images_series'],
  'what its study claimed is kept': [deletions.KEEP_CLAIMS, STUDY_BY_ID, 'dicom_study_links_pkey'],
  'its study is marked': [deletions.MARK_DELETED, STUDY_BY_ID, 'dicom_study_tags_study', 'dicom_study_links_pkey'],
  'a study of its own goes too': [deletions.REMOVE_OWN_STUDIES, STUDY_BY_ID, 'studies_dicom_own', 'patients_pkey'],
};
